"""Listings that lie: cut short, empty, old, or refused; and that what is asked for by its name is told truly."""

import pytest

ZONE, OTHER = "us-central1-a", "europe-west4-a"
KINDS = ("instances", "disks", "snapshots", "cryptoKeys")


def make(cloud, kind: str, name: str, zone: str = ZONE) -> None:
    match kind:
        case "instances":
            cloud.insert(name, zone, labels={"team": "red"})
        case "disks":
            cloud.new_disk(name, zone, labels={"team": "red"})
        case "snapshots":
            cloud.new_disk(f"of-{name}", zone)
            body = {"name": name, "sourceDisk": f"zones/{zone}/disks/of-{name}", "labels": {"team": "red"}}
            cloud.compute("POST", "global/snapshots", body)
        case "cryptoKeys":
            cloud.key(zone[:-2], name, labels={"team": "red"})


def ask(cloud, kind: str, zone: str = ZONE, **query) -> dict:
    if kind == "cryptoKeys":
        ring = f"projects/emulated-project/locations/{zone[:-2]}/keyRings/r"
        return cloud.kms("GET", f"{ring}/cryptoKeys", **query)
    return cloud.compute("GET", "global/snapshots" if kind == "snapshots" else f"zones/{zone}/{kind}", **query)


def listed(cloud, kind: str, zone: str = ZONE, **query) -> list:
    """All pages, as a careful client reads them."""
    found, answer = [], ask(cloud, kind, zone, **query)
    while True:
        rows = answer.get("items") or answer.get("cryptoKeys") or []
        found += [row["name"].rpartition("/")[2] for row in rows]
        if "nextPageToken" not in answer:
            return found
        answer = ask(cloud, kind, zone, **query, pageToken=answer["nextPageToken"])


def rule(cloud, kind: str, do: str, **more) -> None:
    cloud.post("rules", [{"action": f"{kind}.list", "do": do, **more}])


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


def test_a_listing_is_cut_after_its_first_page(cloud, kind):
    for name in "abc":
        make(cloud, kind, name)
    cloud.post("settings", {"page_size": 2})
    assert listed(cloud, kind) == ["a", "b", "c"]
    rule(cloud, kind, "cut")
    answer = ask(cloud, kind)
    assert listed(cloud, kind) == ["a", "b"] and "nextPageToken" not in answer
    assert answer.get("totalSize") in (None, 2)
    call = cloud.get("calls")["calls"][-1]
    assert (call["status"], call["fault"]) == (200, "cut")
    cloud.post("rules", [])
    assert listed(cloud, kind) == ["a", "b", "c"]


def test_a_listing_is_empty(cloud, kind):
    make(cloud, kind, "a")
    rule(cloud, kind, "empty")
    answer = ask(cloud, kind)
    assert "items" not in answer and "cryptoKeys" not in answer and not answer.get("totalSize")
    cloud.post("rules", [])
    assert listed(cloud, kind) == ["a"]


def test_a_listing_is_old(cloud, kind):
    make(cloud, kind, "a")
    cloud.advance(100)
    make(cloud, kind, "b")
    rule(cloud, kind, "stale", secs=80)
    assert listed(cloud, kind) == ["a"]
    rule(cloud, kind, "stale", secs=1000)
    assert listed(cloud, kind) == []
    cloud.post("rules", [])
    assert listed(cloud, kind) == ["a", "b"]


def test_the_setting_makes_all_listings_old(cloud, kind):
    make(cloud, kind, "a")
    cloud.post("settings", {"stale": 500})
    assert listed(cloud, kind) == []
    cloud.advance(501)
    assert listed(cloud, kind) == ["a"]


def test_listings_answer_500(cloud, kind, refused):
    make(cloud, kind, "a")
    cloud.post("rules", [{"listing": True, "do": "internal"}])
    with refused("INTERNAL" if kind == "cryptoKeys" else "internalError", 500):
        ask(cloud, kind)
    if kind == "instances":
        assert cloud.instance("a")
    cloud.post("rules", [])
    assert listed(cloud, kind) == ["a"]


@pytest.mark.parametrize("kind", ["instances", "disks", "cryptoKeys"])
def test_a_lie_is_of_a_region_and_for_so_many_calls(cloud, kind):
    make(cloud, kind, "a")
    make(cloud, kind, "b", OTHER)
    rule(cloud, kind, "empty", region="us-central1", nth=2, times=1)
    assert listed(cloud, kind, OTHER) == ["b"]
    assert [listed(cloud, kind) for _ in range(3)] == [["a"], [], ["a"]]
    assert (cloud.get("rules")[0]["matched"], cloud.get("rules")[0]["fired"]) == (3, 1)


@pytest.mark.parametrize("kind", ["instances", "disks"])
def test_a_lie_is_of_a_zone(cloud, kind):
    make(cloud, kind, "a")
    make(cloud, kind, "b", "us-central1-b")
    cloud.post("rules", [{"zone": "us-central1-b", "do": "empty"}])
    assert (listed(cloud, kind), listed(cloud, kind, "us-central1-b")) == (["a"], [])


@pytest.mark.parametrize("kind", ["instances", "disks"])
def test_a_list_over_all_zones_lies_too(cloud, kind):
    make(cloud, kind, "a")
    make(cloud, kind, "b", OTHER)
    path = f"aggregated/{kind}"

    def found():
        answer = cloud.compute("GET", path)
        assert "nextPageToken" not in answer
        scopes = answer["items"].values()
        return [item["name"] for scope in scopes for item in scope.get(kind, [])]

    assert found() == ["b", "a"]
    cloud.post("rules", [{"action": f"{kind}.aggregatedList", "do": "empty"}])
    assert found() == []
    cloud.post("settings", {"page_size": 1})
    cloud.post("rules", [{"action": f"{kind}.aggregatedList", "do": "cut"}])
    assert found() == ["b"]
    cloud.post("rules", [{"action": f"{kind}.aggregatedList", "do": "stale", "secs": 1000}])
    assert found() == []


@pytest.mark.parametrize("do", ["cut", "empty", "stale"])
def test_what_is_asked_for_by_name_is_told_truly(cloud, do):
    for name in "abc":
        cloud.insert(name)
    cloud.post("settings", {"page_size": 2})
    cloud.post("rules", [{"do": do, **({"secs": 1000} if do == "stale" else {})}])
    assert cloud.instance("a")["name"] == cloud.disk("a")["name"] == "a"
    for text in ("name = a", '(name = "a") OR (name = "b") OR (name = "c")', f"id = {cloud.instance('b')['id']}"):
        assert listed(cloud, "instances", filter=text)
    assert len(listed(cloud, "instances", filter="(name = a) OR (name = b) OR (name = c)")) == 3
    assert cloud.get("rules")[0]["matched"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "labels.team = red",
        "name != b",
        "name eq .*",
        "name:a",
        "NOT name = b",
        "name = a AND status != X",
        "name = a name = a",
    ],
)
def test_what_is_asked_for_otherwise_is_a_listing(cloud, text):
    make(cloud, "instances", "a")
    assert listed(cloud, "instances", filter=text) == ["a"]
    cloud.post("rules", [{"do": "empty"}])
    assert listed(cloud, "instances", filter=text) == []


def test_only_listings_are_lied_to(cloud):
    cloud.post("rules", [{"do": "empty"}])
    key = cloud.key()
    cloud.running()
    assert cloud.kms("GET", key)["name"] == key
    assert len(cloud.kms("GET", f"{key}/cryptoKeyVersions")["cryptoKeyVersions"]) == 1
    assert cloud.compute("GET", f"zones/{ZONE}/operations")["items"]
    assert cloud.compute("GET", "zones")["items"]


def test_an_old_listing_shows_what_was(cloud):
    cloud.running(labels={"team": "red"})
    cloud.new_disk()
    make(cloud, "snapshots", "s")
    key = cloud.key(labels={"team": "red"})
    cloud.advance(1000)
    cloud.do("setLabels", body={"labels": {}, "labelFingerprint": cloud.instance()["labelFingerprint"]})
    cloud.compute("POST", f"zones/{ZONE}/disks/d/resize", {"sizeGb": "40"})
    cloud.compute("DELETE", "global/snapshots/s")
    cloud.kms("PATCH", key, {"labels": {}}, updateMask="labels")
    cloud.kms("PATCH", f"{key}/cryptoKeyVersions/1", {"state": "DISABLED"}, updateMask="state")
    cloud.settled()

    def look():
        by_label = {"filter": "labels.team = red"}
        disk = next(item for item in ask(cloud, "disks")["items"] if item["name"] == "d")
        keys = ask(cloud, "cryptoKeys")["cryptoKeys"]
        states = [each["primary"]["state"] for each in keys]
        red = [listed(cloud, each, **by_label) for each in ("instances", "snapshots", "cryptoKeys")]
        return disk["sizeGb"], states, *red

    assert look() == ("40", ["DISABLED"], [], [], [])
    cloud.post("rules", [{"do": "stale", "secs": 500}])
    assert look() == ("20", ["ENABLED"], ["m"], ["s"], ["k"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": "stale"},
        {"do": "stale", "secs": "long"},
        {"do": "cut", "listing": False},
        {"do": "throttle", "listing": 1},
    ],
)
def test_mistakes_are_told(cloud, wrong):
    assert cloud.control("POST", "rules", [wrong]).status_code == 400
