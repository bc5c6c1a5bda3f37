//! What is trusted, and every look-alike that is not.

use uuid::Uuid;

use super::*;

fn trust() -> Trust {
    Trust {
        id: TrustId::from_uuid(Uuid::from_u128(1)),
        org: OrgId::from_uuid(Uuid::from_u128(2)),
        name: "release".parse().unwrap(),
        repository: "octo-org/octo.repo".parse().unwrap(),
        repository_id: 74,
        owner_id: 65,
        environment: None,
        refs: None,
        scope: TokenScope::Build,
        projects: BTreeSet::new(),
    }
}

fn claims() -> Claims {
    Claims {
        sub: "repo:octo-org/octo.repo:ref:refs/heads/main".to_owned(),
        repository: "octo-org/octo.repo".to_owned(),
        repository_owner: "octo-org".to_owned(),
        repository_id: "74".to_owned(),
        repository_owner_id: "65".to_owned(),
        git_ref: "refs/heads/main".to_owned(),
        environment: None,
        run_id: Some("12".to_owned()),
    }
}

#[test]
fn the_repository_itself_is_trusted_with_either_subject() {
    for sub in [
        "repo:octo-org/octo.repo:ref:refs/heads/main",
        "repo:octo-org@65/octo.repo@74:ref:refs/heads/main",
        "repo:octo-org/octo.repo:environment:prod",
        "repo:octo-org/octo.repo:pull_request",
        "repository_id:74:ref:refs/heads/main",
    ] {
        assert_eq!(trust().agrees(&Claims { sub: sub.to_owned(), ..claims() }), Ok(()), "{sub}");
    }
}

#[test]
fn look_alikes_are_not() {
    let text = |text: &str| text.to_owned();
    let renamed = |repository: &str| {
        let (owner, name) = repository.split_once('/').unwrap_or((repository, ""));
        let (sub, repository_owner) = (format!("repo:{owner}/{name}:ref:refs/heads/main"), owner.to_owned());
        Claims { repository: repository.to_owned(), repository_owner, sub, ..claims() }
    };
    let cases = [
        (renamed("Octo-Org/octo.repo"), Mismatch::Name),
        (renamed("octo-org/Octo.Repo"), Mismatch::Name),
        (renamed("octo-org/octo.repo2"), Mismatch::Name),
        (renamed("octo-org/octo"), Mismatch::Name),
        (renamed("octo-org/octo-repo"), Mismatch::Name),
        (renamed("octo-org2/octo.repo"), Mismatch::Name),
        (renamed("octo/org"), Mismatch::Name),
        (renamed("octo-org/octo.repo/x"), Mismatch::Itself),
        (renamed("octo-org"), Mismatch::Itself),
        (renamed(""), Mismatch::Itself),
        (renamed("octo-org/octo.repo "), Mismatch::Itself),
        (renamed("octo-org/öcto.repo"), Mismatch::Itself),
        (Claims { repository_id: text("75"), ..claims() }, Mismatch::Repository),
        (Claims { repository_owner_id: text("66"), ..claims() }, Mismatch::Owner),
        (Claims { repository_id: text("074"), ..claims() }, Mismatch::Itself),
        (Claims { repository_id: text("+74"), ..claims() }, Mismatch::Itself),
        (Claims { repository_id: text(""), ..claims() }, Mismatch::Itself),
        (Claims { repository_owner_id: text("99999999999999999999999"), ..claims() }, Mismatch::Itself),
        (Claims { repository_owner: text("other"), ..claims() }, Mismatch::Itself),
        (Claims { sub: text("repo:other/octo.repo:ref:refs/heads/main"), ..claims() }, Mismatch::Itself),
        (Claims { sub: text("repo:octo-org/octo.repo2:ref:refs/heads/main"), ..claims() }, Mismatch::Itself),
        (Claims { sub: text("repo:octo-org@66/octo.repo@74:ref:refs/heads/main"), ..claims() }, Mismatch::Itself),
        (Claims { sub: text("repo:octo-org@65/octo.repo@75:ref:refs/heads/main"), ..claims() }, Mismatch::Itself),
        (Claims { sub: text("repo:"), ..claims() }, Mismatch::Itself),
    ];
    for (claims, mismatch) in cases {
        assert_eq!(trust().agrees(&claims), Err(mismatch), "{claims:?}");
    }
}

#[test]
fn environment_and_ref_narrow_it() {
    let narrow =
        Trust { environment: Some("prod".to_owned()), refs: Some("refs/heads/release/*".parse().unwrap()), ..trust() };
    let run = |environment: Option<&str>, git_ref: &str| {
        let environment = environment.map(str::to_owned);
        narrow.agrees(&Claims { environment, git_ref: git_ref.to_owned(), ..claims() })
    };
    assert_eq!(run(Some("prod"), "refs/heads/release/1"), Ok(()));
    for other in [None, Some(""), Some("Prod"), Some("prod2"), Some("pro")] {
        assert_eq!(run(other, "refs/heads/release/1"), Err(Mismatch::Environment), "{other:?}");
    }
    for other in
        ["refs/heads/main", "refs/heads/release", "refs/heads/release/a/b", "refs/tags/release/1", "release/1", ""]
    {
        assert_eq!(run(Some("prod"), other), Err(Mismatch::Ref), "{other}");
    }
    assert_eq!(trust().agrees(&Claims { environment: Some("any".to_owned()), ..claims() }), Ok(()));
}

#[test]
fn a_star_stands_for_a_part_of_a_name() {
    let cases = [
        ("refs/heads/main", "refs/heads/main", true),
        ("refs/heads/main", "refs/heads/main2", false),
        ("refs/heads/*", "refs/heads/main", true),
        ("refs/heads/*", "refs/heads/a/b", false),
        ("refs/heads/*", "refs/heads/", true),
        ("refs/heads/*/x", "refs/heads/a/x", true),
        ("refs/heads/*/x", "refs/heads/a/b/x", false),
        ("refs/tags/v*.*", "refs/tags/v1.2", true),
        ("refs/tags/v*.*", "refs/tags/v1", false),
        ("refs/tags/v*-rc*", "refs/tags/v1-r-rc-rc2", true),
        ("refs/pull/*/merge", "refs/pull/12/merge", true),
        ("refs/pull/*/merge", "refs/pull/12/head", false),
        ("refs/heads/*a*a*b", "refs/heads/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ];
    for (pattern, name, expected) in cases {
        assert_eq!(pattern.parse::<RefPattern>().unwrap().matches(name), expected, "{pattern} {name}");
    }
    for wrong in [
        "",
        "*",
        "main",
        "refs/*",
        "refs/heads/",
        "refs/heads/**",
        "refs/heads/a b",
        "refs/heads/a?",
        "refs/heads/[a]",
        "refs/heads/ä",
        "refs/heads/a\n",
        "Refs/heads/a",
        &format!("refs/heads/{}", "a".repeat(300)),
    ] {
        assert!(wrong.parse::<RefPattern>().is_err(), "{wrong}");
    }
}

#[test]
fn what_is_no_repository_is_refused() {
    for good in ["a/b", "octo-org/.github", "octo-org/..x", "user_corp/x_y.z-1"] {
        assert_eq!(good.parse::<Repository>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "a",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "a/.",
        "a/..",
        "a/...x",
        "a b/c",
        "a/b\n",
        "https://x/y",
        "ä/b",
        &format!("{}/b", "a".repeat(101)),
    ] {
        assert!(bad.parse::<Repository>().is_err(), "{bad}");
    }
}

/// Against the plainest matcher that there is, for all short patterns and names.
#[test]
fn patterns_match_what_the_plainest_matcher_matches() {
    fn plain(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), taken) => {
                plain(rest, name) || taken.is_some_and(|(first, after)| *first != b'/' && plain(pattern, after))
            }
            (Some((one, rest)), Some((other, after))) => one == other && plain(rest, after),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
    let texts = |letters: &[u8], most: usize| {
        let mut all = vec![Vec::new()];
        for at in 0.. {
            let Some(text) = all.get(at).filter(|text: &&Vec<u8>| text.len() < most).cloned() else { break };
            all.extend(letters.iter().map(|letter| [text.as_slice(), &[*letter]].concat()));
        }
        all
    };
    let (patterns, names) = (texts(b"a/*", 5), texts(b"ab/", 5));
    for (pattern, name) in patterns.iter().flat_map(|pattern| names.iter().map(move |name| (pattern, name))) {
        let ours = RefPattern(String::from_utf8(pattern.clone()).unwrap()).matches(std::str::from_utf8(name).unwrap());
        assert_eq!(ours, plain(pattern, name), "{pattern:?} {name:?}");
    }
}
