"""Lists: filters, pages, scopes, and how they lag behind."""

import pytest

ZONE = "us-central1-a"


def names(cloud, what: str = f"zones/{ZONE}/instances", **query) -> list:
    return [item["name"] for item in cloud.compute("GET", what, **query).get("items", [])]


@pytest.fixture
def three(cloud):
    for name in ("a", "b", "c"):
        cloud.insert(name, labels={"n": name, "all": ""})
    cloud.settled()
    cloud.do("stop", "b")
    cloud.settled()
    return cloud


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name=a", "a"),
        ('name = "a"', "a"),
        ("name != a", "bc"),
        ("status=RUNNING", "ac"),
        ("(name=a) OR (name=b)", "ab"),
        ("name=a OR name=b", "ab"),
        ("(status=RUNNING) (name!=a)", "c"),
        ("status=RUNNING AND name!=a", "c"),
        ("labels.n=b", "b"),
        ("labels.n:*", "abc"),
        ("labels.none:*", ""),
        ("NOT name=a", "bc"),
        ("name eq [ab]", "ab"),
        ('name eq ".*\\ba\\b.*"', "a"),
        ("name ne a.*", "bc"),
        ("name eq A", ""),
        ("scheduling.automaticRestart=true", "abc"),
        ("networkInterfaces.name=nic0", "abc"),
        ("name:*", "abc"),
    ],
)
def test_filters(three, text, found):
    assert names(three, filter=text) == list(found)


@pytest.mark.parametrize(
    "text",
    [
        "colour=red",
        "name.more=a",
        "scheduling.colour=1",
        "name",
        "name=",
        "(name=a",
        "name ~ a",
        "name eq [",
        "name eq a\\1",
        'name eq "(?=a)a"',
        "name eq a AND status=RUNNING",
        "AND",
    ],
)
def test_wrong_filters(three, refused, text):
    with refused("invalid", 400, "filter"):
        names(three, filter=text)


def test_filters_of_operations(three):
    target = three.instance("b")
    found = three.compute("GET", f"zones/{ZONE}/operations", filter=f"(targetId={target['id']}) (operationType=stop)")[
        "items"
    ]
    assert [item["targetLink"] for item in found] == [target["selfLink"]]
    assert len(names(three, f"zones/{ZONE}/operations", filter='targetLink eq ".*/instances/(a|c)"')) == 2
    assert names(three, f"zones/{ZONE}/operations", filter="status!=DONE") == []


def test_pages(three, refused):
    first = three.compute("GET", f"zones/{ZONE}/instances", maxResults=2)
    rest = three.compute("GET", f"zones/{ZONE}/instances", maxResults=2, pageToken=first["nextPageToken"])
    assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"] and "nextPageToken" not in rest
    three.post("settings", {"page_size": 1})
    assert names(three, maxResults=500) == ["a"]
    with refused("invalid", 400):
        names(three, pageToken="nonsense")


def test_the_latest_first(cloud):
    for name in ("b", "a", "c"):
        cloud.insert(name)
        cloud.advance(1)
    assert names(cloud, orderBy="creationTimestamp desc") == ["c", "a", "b"]
    assert names(cloud, orderBy="name") == ["a", "b", "c"]


def test_a_list_of_nothing_has_no_items(cloud):
    assert "items" not in cloud.compute("GET", f"zones/{ZONE}/instances")


def test_all_zones_at_once(cloud):
    cloud.insert("a")
    cloud.insert("b", "europe-west4-a")
    scopes = cloud.compute("GET", "aggregated/instances")["items"]
    assert [item["name"] for item in scopes["zones/europe-west4-a"]["instances"]] == ["b"]
    assert scopes["zones/us-east1-b"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"
    assert [item["name"] for item in cloud.compute("GET", "aggregated/disks")["items"][f"zones/{ZONE}"]["disks"]] == [
        "a"
    ]
    page = cloud.compute("GET", "aggregated/instances", maxResults=1)
    rest = cloud.compute("GET", "aggregated/instances", maxResults=1, pageToken=page["nextPageToken"])
    assert sum(len(scope.get("instances", [])) for answer in (page, rest) for scope in answer["items"].values()) == 2
    assert "nextPageToken" not in rest


def test_what_is_new_is_hidden_for_a_while(cloud, refused):
    cloud.post("settings", {"visibility_lag": 5})
    cloud.insert()
    assert names(cloud) == [] and names(cloud, f"zones/{ZONE}/disks") == []
    assert len(names(cloud, f"zones/{ZONE}/operations")) == 1
    with refused("notFound", 404):
        cloud.instance()
    with refused("alreadyExists", 409):
        cloud.insert()
    cloud.advance(6)
    assert names(cloud) == ["m"] and cloud.disk("m")


def test_a_stale_list_shows_what_was(cloud):
    cloud.running()
    cloud.post("settings", {"stale": 30})
    assert [item["status"] for item in cloud.compute("GET", f"zones/{ZONE}/instances")["items"]] == ["STAGING"]
    assert cloud.instance()["status"] == "RUNNING"
    assert [item["status"] for item in cloud.compute("GET", f"zones/{ZONE}/operations")["items"]] == ["RUNNING"]
    cloud.advance(60)
    cloud.compute("DELETE", f"zones/{ZONE}/instances/m")
    cloud.settled()
    assert [item["status"] for item in cloud.compute("GET", f"zones/{ZONE}/instances")["items"]] == ["STOPPING"]
    assert names(cloud, f"zones/{ZONE}/disks") == ["m"]
    cloud.advance(31)
    assert names(cloud) == [] and names(cloud, f"zones/{ZONE}/disks") == []


def test_what_nobody_makes(cloud, refused):
    project = cloud.ask("GET", "/compute/v1/projects/emulated-project")
    assert project["defaultServiceAccount"] == "123456789012-compute@developer.gserviceaccount.com"
    assert "us-central1-f" in names(cloud, "zones", filter="name:us-central1") and "us-central1-d" not in names(
        cloud, "zones"
    )
    assert cloud.compute("GET", "regions/europe-west3")["zones"][0].endswith("/zones/europe-west3-a")
    kind = cloud.compute("GET", f"zones/{ZONE}/machineTypes/c4a-highcpu-8")
    assert (kind["guestCpus"], kind["memoryMb"], kind["architecture"]) == (8, 16384, "ARM64")
    assert "e2-standard-4" in names(cloud, f"zones/{ZONE}/machineTypes")
    everywhere = cloud.compute("GET", "aggregated/machineTypes", filter="name=t2a-standard-4")["items"]
    assert "machineTypes" in everywhere["zones/us-central1-f"] and "warning" in everywhere["zones/us-east1-b"]
    assert cloud.compute("GET", f"zones/{ZONE}/diskTypes/pd-ssd")["validDiskSize"] == "10GB-65536GB"
    assert cloud.compute("GET", "regions/us-east1/subnetworks/default")["network"].endswith("/global/networks/default")
    assert names(cloud, "global/networks") == ["default"] and names(cloud, "regions/us-east1/subnetworks") == [
        "default"
    ]
    image = cloud.ask("GET", "/compute/v1/projects/debian-cloud/global/images/family/debian-12-arm64")
    assert image["architecture"] == "ARM64"
    assert cloud.ask("GET", f"/compute/v1/projects/debian-cloud/global/images/{image['name']}") == image
    for path in (
        "zones/none",
        "regions/none",
        f"zones/{ZONE}/machineTypes/none",
        "global/images/none",
        "global/networks/none",
    ):
        with refused("notFound", 404):
            cloud.compute("GET", path)
