"""What Compute Engine finds when it uses a key for a disk: location, state, permission. It must never change a key.

Sources: Compute Engine documentation, "Protect resources by using Cloud KMS keys" (the role of the service agent;
locations: a disk's key is in its region, a multi-region that holds it, or global).
"""

from .. import catalog

ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_MULTI = {"us": "us-", "europe": "europe-"}


def usable(world, key_name: str, region: str, version_name: str | None = None) -> tuple[str | None, str | None]:
    """The version to use, or what is wrong: the primary one, or that which a disk was made with."""
    name, _, number = key_name.partition("/cryptoKeyVersions/")
    if number and version_name is None:
        version_name = key_name
    parts = name.split("/")
    if len(parts) != 8 or parts[0::2] != ["projects", "locations", "keyRings", "cryptoKeys"]:
        return None, f"Cloud KMS error when using key {key_name}: it is not the name of a key"
    location = parts[3]
    if location not in (region, "global") and not region.startswith(_MULTI.get(location, "none")):
        return None, f"Cloud KMS key {name} is in location {location}, and can't be used in region {region}"
    key = world.keys.get(name)
    if key is None:
        return None, f"Cloud KMS error when using key {name}: CryptoKey {name} not found."
    if name in world.denied_keys or not _is_granted(world, name):
        permission = "cloudkms.cryptoKeyVersions.useToEncrypt"
        return (
            None,
            f"Cloud KMS error when using key {name}: Permission '{permission}' denied on resource '{name}' (or it may not exist).",
        )
    version = key.version(version_name or key.primary or "")
    if version is None or version["state"] != "ENABLED":
        state = version["state"] if version else "none"
        return (
            None,
            f"Cloud KMS error when using key {name}: {version_name or key.primary} is not enabled, current state is: {state}.",
        )
    return version["name"], None


def _is_granted(world, name: str) -> bool:
    """By the key's policy, its ring's, or the project's."""
    holders = [
        world.policies.get(holder, {}).get("bindings", []) for holder in (name, name.partition("/cryptoKeys/")[0])
    ]
    return any(
        binding["role"] == ROLE and catalog.SERVICE_AGENT in binding.get("members", [])
        for bindings in (*holders, world.project_policy)
        for binding in bindings
    )
