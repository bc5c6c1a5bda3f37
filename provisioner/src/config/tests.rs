//! Configurations that are right, and those that are wrong in one place.

use super::*;

const SAMPLE: &str = r#"
deployment = "prod"
database = "sqlite://provisioner.db"
[aws.regions.us-east-1]
security_groups = ["sg-0123456789abcdef0"]
instance_profile = "builder"
images = { x86_64 = "ami-0123456789abcdef0", arm64 = "resolve:ssm:/aws/service/x" }
[aws.regions.us-east-1.subnets]
us-east-1a = "subnet-0123456789abcdef0"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("p.toml"))
}

fn refused(from: &str, to: &str) -> ConfigError {
    assert!(SAMPLE.contains(from), "{from}");
    parse(&SAMPLE.replace(from, to)).unwrap_err()
}

#[test]
fn the_sample_of_the_documentation_is_read() {
    let config = parse(SAMPLE).unwrap();
    assert_eq!(config.deployment.as_deref(), Some("prod"));
    let region = regions::Region::find(regions::Cloud::Aws, "us-east-1").unwrap();
    let zones: Vec<&str> = config.aws.unwrap().usable_zones(region).into_iter().map(regions::Zone::name).collect();
    assert_eq!(zones, ["us-east-1a"]);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_its_full_key() {
    let error = refused("instance_profile", "instance_profil");
    assert_eq!(error.line, Some(6));
    assert_eq!(error.key.as_deref(), Some("aws.regions.us-east-1.instance_profil"), "{error}");
    assert!(error.to_string().contains("unknown field"), "{error}");

    let error = refused(r#""builder""#, "7");
    assert_eq!((error.line, error.key.as_deref()), (Some(6), Some("aws.regions.us-east-1.instance_profile")));

    let error = refused("us-east-1a = \"subnet", "us-east-1z = \"subnet");
    assert_eq!((error.line, error.key.as_deref()), (Some(9), Some("aws.regions.us-east-1.subnets.us-east-1z")));

    let error = refused("ami-0123456789abcdef0", "my-image");
    assert_eq!((error.line, error.key.as_deref()), (Some(7), Some("aws.regions.us-east-1.images.x86_64")));

    let error = parse(&SAMPLE.replace("us-east-1", "eu-west-2")).unwrap_err();
    assert_eq!((error.line, error.key.as_deref()), (Some(4), Some("aws.regions.eu-west-2")));

    let error = parse("[worker]\nslots = 0\n").unwrap_err();
    assert_eq!((error.line, error.key.as_deref()), (Some(2), Some("worker.slots")));

    let error = parse("[policy]\nmax_attempts = \"ten\"\n").unwrap_err();
    assert_eq!((error.line, error.key.as_deref()), (Some(2), Some("policy.max_attempts")));

    let error = parse(&format!("{SAMPLE}\n[fake]\nseed = 7\n")).unwrap_err();
    assert_eq!((error.line, error.key.as_deref()), (Some(11), Some("fake")));

    let error = parse("deployment = \n").unwrap_err();
    assert_eq!(error.line, Some(1));
}

#[test]
fn overrides_have_the_last_word() {
    let folder = std::env::temp_dir().join(format!("provisioner-config-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("p.toml");
    fs::write(&file, SAMPLE).unwrap();
    let overrides = |database: Option<&str>| Overrides {
        file: Some(file.clone()),
        database: database.map(str::to_owned),
        deployment: None,
    };
    assert_eq!(Config::load(overrides(None)).unwrap().database_url(), "sqlite://provisioner.db");
    let config = Config::load(overrides(Some("postgres://h/d"))).unwrap();
    assert_eq!(config.database_url(), "postgres://h/d");
    let error = Config::load(overrides(Some("mysql://h/d"))).unwrap_err();
    assert!(error.to_string().starts_with("--database: "), "{error}");
    fs::remove_dir_all(&folder).unwrap();
    assert!(Config::load(overrides(None)).unwrap_err().to_string().contains("no such file"));
}
