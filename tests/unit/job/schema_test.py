#!/usr/bin/python3
"""jobs/job.schema.json against the same job files that the reader is tested with.

The other half, that the schema's keys and words are those of the reader's own tables, is in schema_test.cpp.
"""

import json
import pathlib
import unittest

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parents[2] / "jobs" / "job.schema.json"


class JobSchema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(SCHEMA.read_text())
        jsonschema.Draft7Validator.check_schema(cls.schema)
        cls.validator = jsonschema.Draft7Validator(cls.schema)

    def faults(self, path):
        return [f"{list(fault.path)}: {fault.message}" for fault in self.validator.iter_errors(json.loads(path.read_text()))]

    def test_accepts_every_right_job_file(self):
        files = sorted((HERE / "valid").glob("*.json")) + [f for f in sorted(SCHEMA.parent.glob("*.json")) if f != SCHEMA]
        self.assertGreaterEqual(len(files), 5)
        for path in files:
            with self.subTest(path.name):
                self.assertEqual(self.faults(path), [])

    def test_refuses_every_structural_fault_and_nothing_else(self):
        files = sorted((HERE / "wrong").glob("*.json"))
        self.assertGreaterEqual(len(files), 60)
        for path in files:
            verdict = path.with_suffix(".txt").read_text().splitlines()[1]
            with self.subTest(path.name):
                self.assertIn(verdict, ("schema: refuses", "schema: accepts", "schema: cannot tell"))
                if verdict != "schema: cannot tell":  # not JSON, or a key twice, which Python does not see
                    self.assertEqual(bool(self.faults(path)), verdict == "schema: refuses")

    def test_accepts_a_comment_in_every_object_of_the_format_if_it_is_a_text(self):
        def commented(value, comment):
            if isinstance(value, list):
                return [commented(element, comment) for element in value]
            if not isinstance(value, dict):
                return value
            return {"$comment": comment} | {k: v if k == "body" else commented(v, comment) for k, v in value.items()}
        for path in sorted((HERE / "valid").glob("*.json")):
            with self.subTest(path.name):
                job = json.loads(path.read_text())
                for comment in ("why", ["why", "and how"]):
                    self.assertEqual([fault.message for fault in self.validator.iter_errors(commented(job, comment))], [])
                self.assertTrue(list(self.validator.iter_errors(commented(job, 7))))

    def test_describes_every_definition(self):
        for name, definition in self.schema["definitions"].items():
            with self.subTest(name):
                self.assertIn("description", definition)


if __name__ == "__main__":
    unittest.main()
