"""Holds every line of JSON Lines files to a JSON Schema: schema.py SCHEMA FILE... Exit 1 names each offence."""
import json
import sys

import jsonschema


def main():
    schema = json.load(open(sys.argv[1]))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    faults, lines = [], 0
    for name in sys.argv[2:]:
        text = open(name, encoding="utf-8").read()
        if text and not text.endswith("\n"):
            faults.append(f"{name}: ends in the middle of a line")
        for number, line in enumerate(text.splitlines(), 1):
            lines += 1
            try:
                faults += [f"{name}:{number}: {e.message}" for e in validator.iter_errors(json.loads(line))]
            except ValueError as e:
                faults.append(f"{name}:{number}: not JSON: {e}")
    print("\n".join(faults[:20]) or f"{lines} lines follow the schema")
    return 1 if faults else 0


sys.exit(main())
