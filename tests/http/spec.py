# SPDX-License-Identifier: Apache-2.0
"""Answers against docs/reference/openapi.yaml: as much of OpenAPI 3.0 as that file uses. What it uses and this does not
know is a mistake, so that nothing is passed over."""

import json
import re

import yaml

KNOWN = {
    "type", "enum", "pattern", "required", "properties", "additionalProperties", "items", "minimum", "maximum",
    "minLength", "maxLength", "maxItems", "uniqueItems", "nullable", "format", "description", "default",
}  # fmt: skip
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


class Wrong(Exception):
    pass


class Spec:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.root = yaml.safe_load(file)
        self.seen = set()  # (method, path, status)
        self.named = set()  # the same, as the description has them, without `default`
        for path, item in self.root["paths"].items():
            for method, operation in item.items():
                if method not in METHODS:
                    raise Wrong(f"{path}: {method}")
                for status in operation["responses"]:
                    if status != "default":
                        self.named.add((method, path, int(status)))

    def get(self, thing):
        while "$ref" in thing:
            if set(thing) != {"$ref"}:
                raise Wrong(f"a reference with company: {thing}")
            at = self.root
            for part in thing["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            thing = at
        return thing

    def value(self, schema, value, where):
        """Raises Wrong where value is not as schema says."""
        schema = self.get(schema)
        unknown = set(schema) - KNOWN
        if unknown:
            raise Wrong(f"{where}: the description uses {unknown}, which this check does not know")
        if value is None and schema.get("nullable"):
            return
        kind = TYPES[schema["type"]]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Wrong(f"{where}: {value!r} is no {schema['type']}")
        if "enum" in schema and value not in schema["enum"]:
            raise Wrong(f"{where}: {value!r} is none of {schema['enum']}")
        size = len(value) if kind in (str, list) else None
        for key, far in (("minimum", value), ("minLength", size)):
            if key in schema and far < schema[key]:
                raise Wrong(f"{where}: {value!r} is under {key} {schema[key]}")
        for key, far in (("maximum", value), ("maxLength", size), ("maxItems", size)):
            if key in schema and far > schema[key]:
                raise Wrong(f"{where}: {value!r:.100} is over {key} {schema[key]}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            raise Wrong(f"{where}: {value!r} does not match {schema['pattern']}")
        if schema.get("uniqueItems") and len({json.dumps(v) for v in value}) != len(value):
            raise Wrong(f"{where}: {value!r} has something twice")
        if kind is list:
            for i, one in enumerate(value):
                self.value(schema["items"], one, f"{where}[{i}]")
        if kind is dict:
            missing = set(schema.get("required", ())) - set(value)
            added = set(value) - set(schema["properties"])
            if missing or added or schema.get("additionalProperties") is not False:
                raise Wrong(f"{where}: missing {missing}, not described {added}")
            for key, one in value.items():
                self.value(schema["properties"][key], one, f"{where}.{key}")

    def place(self, target):
        """The path of the description that a target is of, or None."""
        path = target.split("?")[0]
        for known in self.root["paths"]:
            if re.fullmatch(re.sub(r"\{[a-z0-9]+\}", "[0-9A-Fa-f]{64}", known), path):
                return known
        return None

    def body(self, content, answer, where):
        kind = answer.fields.get("content-type")
        if kind not in content:
            raise Wrong(f"{where}: Content-Type {kind!r} is none of {list(content)}")
        schema = self.get(content[kind]["schema"])
        if kind.endswith("json"):
            value = json.loads(answer.body, object_pairs_hook=self.once)
        elif schema.get("format") == "binary":
            value = answer.body.decode("latin-1")
        else:
            value = answer.body.decode("utf-8")
        self.value(schema, value, where)

    @staticmethod
    def once(pairs):
        if len({k for k, _ in pairs}) != len(pairs):
            raise Wrong(f"a name comes twice: {pairs}")
        return dict(pairs)

    def answer(self, method, target, answer):
        """Is this answer to this request one that the description has?"""
        path, where = self.place(target), f"{method} {target}: {answer.status}"
        operation = self.root["paths"].get(path, {}).get("get" if method == "HEAD" else method.lower())
        if operation:
            self.seen.add((method.lower(), path, answer.status))
            responses = operation["responses"]
            said = responses.get(str(answer.status))
            if not said and answer.status < 400:
                raise Wrong(f"{where}: not described")
            said = self.get(said or responses["default"])
        else:
            said = self.get({"$ref": "#/components/responses/Refused"})
            if method == "OPTIONS" and answer.status == 204:
                allow = {**self.get(said["headers"]["Allow"]), "required": True}
                said = {"headers": {**said["headers"], "Allow": allow}}
        for name, header in said["headers"].items():
            header, value = self.get(header), answer.fields.get(name.lower())
            if value is None and header["required"]:
                raise Wrong(f"{where}: no {name}")
            if value is not None:
                kind = self.get(header["schema"])["type"]
                self.value(header["schema"], int(value) if kind == "integer" else value, f"{where}: {name}")
        extra = set(answer.fields) - {h.lower() for h in said["headers"]} - {"content-type", "content-length"}
        if extra:
            raise Wrong(f"{where}: {extra} are not described")
        if "content" not in said or (method == "HEAD" and answer.status == 200):
            if answer.body:
                raise Wrong(f"{where}: a body")
        elif method != "HEAD":
            self.body(said["content"], answer, where)
        if answer.status >= 400 and method != "HEAD":
            problem = json.loads(answer.body)
            if problem["status"] != answer.status:
                raise Wrong(f"{where}: its problem says {problem['status']}")
            if (problem["type"] == "about:blank") != (not problem["type"].endswith(problem["code"])):
                raise Wrong(f"{where}: type and code do not agree: {problem}")
