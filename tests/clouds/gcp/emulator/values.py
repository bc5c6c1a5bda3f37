"""Single values of a request: whether a text, number, time or enum is what the discovery document says. It owns the
formats.

It must never know a field by name. Sources: "Discovery document reference" (types and formats), "ProtoJSON format".
"""

import base64
import binascii
import datetime
import re

from .errors import invalid

_WHOLE = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
# ProtoJSON takes an enum's number for its name. The document does not give numbers; those that clients of Cloud KMS send are
# from google/cloud/kms/v1/resources.proto, by the first name of the enum. Compute Engine's own enums go by name only.
_NUMBERS = {
    "CRYPTO_KEY_PURPOSE_UNSPECIFIED": {
        1: "ENCRYPT_DECRYPT",
        5: "ASYMMETRIC_SIGN",
        6: "ASYMMETRIC_DECRYPT",
        7: "RAW_ENCRYPT_DECRYPT",
        9: "MAC",
    },
    "CRYPTO_KEY_VERSION_STATE_UNSPECIFIED": {
        1: "ENABLED",
        2: "DISABLED",
        3: "DESTROYED",
        4: "DESTROY_SCHEDULED",
        5: "PENDING_GENERATION",
        6: "PENDING_IMPORT",
        7: "IMPORT_FAILED",
    },
    "PROTECTION_LEVEL_UNSPECIFIED": {1: "SOFTWARE", 2: "HSM", 3: "EXTERNAL", 4: "EXTERNAL_VPC"},
    "CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED": {1: "GOOGLE_SYMMETRIC_ENCRYPTION"},
    "CRYPTO_KEY_VERSION_VIEW_UNSPECIFIED": {1: "FULL"},
}


def checked(described: dict, value, at: str, in_query: bool = False):
    """The value as the emulator keeps it, or a refusal. In a query everything is text."""
    kind, form = described.get("type"), described.get("format")
    if kind == "boolean":
        return _boolean(value, at, in_query)
    if form in _WHOLE:
        number = _whole(form, value, at)
        return str(number) if kind == "string" else number
    if kind == "number":
        return _number(value, at)
    if kind == "integer":
        return _whole("int64", value, at)
    if kind != "string":
        return value
    if "enum" in described:
        return _enum(described["enum"], value, at, in_query)
    if not isinstance(value, str):
        raise invalid(f"Invalid value at '{at}' (TYPE_STRING), {value!r}")
    _format(form, value, at)
    pattern = described.get("pattern")
    if pattern and value and not re.fullmatch(pattern, value):
        raise invalid(f"Invalid value for field '{at}': '{value}'. Must be a match of regex '{pattern}'")
    return value


def _boolean(value, at: str, in_query: bool) -> bool:
    if isinstance(value, bool):
        return value
    # gcloud writes True and False into its queries.
    if in_query and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid(f"Invalid value at '{at}' (TYPE_BOOL), {value!r}")


def _whole(form: str, value, at: str) -> int:
    least, most = _WHOLE[form]
    fits = isinstance(value, int) and not isinstance(value, bool)
    fits = (
        fits
        or (isinstance(value, float) and value.is_integer())
        or (isinstance(value, str) and re.fullmatch(r"-?\d+", value))
    )
    if not fits or not least <= int(value) <= most:
        raise invalid(f"Invalid value at '{at}' (TYPE_{form.upper()}), {value!r}")
    return int(value)


def _number(value, at: str) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise invalid(f"Invalid value at '{at}' (TYPE_DOUBLE), {value!r}") from None


def _enum(known: list, value, at: str, in_query: bool) -> str:
    if in_query and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and known[0] in _NUMBERS:
        value = known[0] if value == 0 else _NUMBERS[known[0]].get(value, value)
    if value not in known:
        raise invalid(f"Invalid value for field '{at}': '{value}'. Must be one of {', '.join(known[:20])}")
    return value


def _format(form: str | None, value: str, at: str) -> None:
    try:
        match form:
            case "byte":
                base64.b64decode(value.translate(str.maketrans("-_", "+/")) + "=" * (-len(value) % 4), validate=True)
            case "google-datetime":
                if datetime.datetime.fromisoformat(value).tzinfo is None:
                    raise ValueError
            case "google-duration":
                if not re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?s", value):
                    raise ValueError
            case "google-fieldmask":
                if not re.fullmatch(r"[A-Za-z_.]+(,[A-Za-z_.]+)*", value):
                    raise ValueError
    except (ValueError, binascii.Error):
        raise invalid(f"Invalid value at '{at}' ({form}), {value!r}") from None
