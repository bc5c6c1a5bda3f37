"""Google's own description of its APIs: which requests there are, and what may be in them.

The documents are those that google-api-python-client bundles; they are loaded from there. Whatever the document does
not know is refused, as Google does.
"""

import importlib.resources
import json
import re
from urllib.parse import parse_qsl, unquote

from .errors import ApiError, invalid
from .values import checked

_DOCUMENTS = {"compute": "compute.v1.json", "cloudkms": "cloudkms.v1.json", "iap": "iap.v1.json"}
# Query parameters of every method ("System parameters"), with and without the dollar sign.
_SYSTEM = {
    "alt",
    "$alt",
    "prettyPrint",
    "$prettyPrint",
    "fields",
    "$fields",
    "key",
    "quotaUser",
    "userIp",
    "access_token",
    "oauth_token",
    "callback",
    "uploadType",
    "upload_protocol",
    "$.xgafv",
    "$httpHeaders",
    "$ct",
    "$apiVersion",
}
# Parameters of lists that earlier revisions of compute.v1.json had and that released versions of gcloud still send.
_FORMER = {"returnPartialSuccess"}
_SLOT = re.compile(r"\{\+?([^}]+)\}")


class Method:
    def __init__(self, service: str, described: dict, prefix: str):
        self.service = service
        self.id = described["id"]
        self.action = ".".join(self.id.split(".")[-2:])
        self.verb = described["httpMethod"]
        self.parameters = described.get("parameters", {})
        self.request = described.get("request", {}).get("$ref")
        path = prefix + described.get("flatPath", described["path"])
        self.slots = _SLOT.findall(path)
        self.slashes = path.count("/")
        pattern, last = "", 0
        for slot in _SLOT.finditer(path):
            pattern += re.escape(path[last : slot.start()]) + "([^/:]+)"
            last = slot.end()
        self.pattern = re.compile(pattern + re.escape(path[last:]))


class Document:
    def __init__(self, service: str):
        files = importlib.resources.files("googleapiclient.discovery_cache.documents")
        described = json.loads(files.joinpath(_DOCUMENTS[service]).read_text())
        self.service = service
        self.schemas = described["schemas"]
        # by verb and number of slashes, which no slot may hold
        self.routes: dict[tuple, list[Method]] = {}
        self._collect(described, "/" + described.get("servicePath", ""))

    def _collect(self, node: dict, prefix: str) -> None:
        for described in node.get("methods", {}).values():
            method = Method(self.service, described, prefix)
            self.routes.setdefault((method.verb, method.slashes), []).append(method)
        for child in node.get("resources", {}).values():
            self._collect(child, prefix)

    def find(self, verb: str, path: str):
        """The method and what its path says; a path without a method is a 404, as with Google's front end."""
        for method in self.routes.get((verb, path.count("/")), ()):
            if found := method.pattern.fullmatch(path):
                return method, {name: unquote(value) for name, value in zip(method.slots, found.groups())}
        raise ApiError(404, "notFound", f"The requested URL {path} was not found on this server.")

    def query(self, method: Method, text: str) -> dict:
        """The query's parameters, each held against its description."""
        found: dict = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            if name in _SYSTEM or (name in _FORMER and method.action.lower().endswith("list")):
                continue
            described = method.parameters.get(name)
            if described is None or described.get("location") != "query":
                raise invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
            value = checked(described, value, name, in_query=True)
            if described.get("repeated"):
                found.setdefault(name, []).append(value)
            elif name in found:
                raise invalid(f"Invalid value: parameter '{name}' is given twice and not repeated")
            else:
                found[name] = value
        for name, described in method.parameters.items():
            if described.get("required") and described["location"] == "query" and name not in found:
                raise ApiError(400, "required", f"Required parameter: {name}")
        return found

    def check_path(self, method: Method, values: dict) -> None:
        for name, value in values.items():
            pattern = method.parameters.get(name, {}).get("pattern")
            if pattern and not re.fullmatch(pattern, value):
                raise invalid(f"Invalid value for field '{name}': '{value}'. Must be a match of regex '{pattern}'")

    def body(self, method: Method, body: bytes) -> dict:
        try:
            found = json.loads(body) if body.strip() else {}
        except ValueError:
            raise ApiError(400, "parseError", "Invalid JSON payload received.") from None
        if not isinstance(found, dict):
            raise ApiError(400, "parseError", "Invalid JSON payload received. An object is wanted.")
        if method.request is None:
            if found:
                raise invalid(
                    f'Invalid JSON payload received. Unknown name "{next(iter(found))}": Root element must be a message.'
                )
            return {}
        return self._object(self.schemas[method.request], found, "", method.id)

    def _object(self, schema: dict, found: dict, at: str, method: str) -> dict:
        known = schema.get("properties", {})
        result = {}
        for field, value in found.items():
            name = field if field in known else _camel(field)
            if name not in known:
                where = f" at '{at}'" if at else ""
                raise invalid(f'Invalid JSON payload received. Unknown name "{field}"{where}: Cannot find field.')
            if value is not None:
                result[name] = self._value(known[name], value, f"{at}.{field}".lstrip("."), method)
        for name, described in known.items():
            if method in described.get("annotations", {}).get("required", ()) and name not in result:
                raise ApiError(400, "required", f"Required field '{f'{at}.{name}'.lstrip('.')}' not specified")
        return result

    def _value(self, described: dict, value, at: str, method: str):
        if "$ref" in described:
            described = {"type": "object", **self.schemas[described["$ref"]]}
        kind = described.get("type")
        if kind == "array":
            if not isinstance(value, list):
                raise invalid(f"Invalid value at '{at}': a list is wanted")
            return [self._value(described["items"], item, f"{at}[{place}]", method) for place, item in enumerate(value)]
        if kind != "object":
            return checked(described, value, at)
        if not isinstance(value, dict):
            raise invalid(f"Invalid value at '{at}': an object is wanted")
        if "additionalProperties" in described:
            of = described["additionalProperties"]
            return {name: self._value(of, item, f"{at}.{name}", method) for name, item in value.items()}
        return self._object(described, value, at, method)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
