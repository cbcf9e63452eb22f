"""Reads a JUnit file with junitparser and holds it against the shape of Jenkins' junit-10.xsd."""

import sys
from xml.etree import ElementTree

from junitparser import Error, Failure, JUnitXml

path, regressed, inconclusive, ok = sys.argv[1], *map(int, sys.argv[2:5])
suites = JUnitXml.fromfile(path)
cases = [case for suite in suites for case in suite]
kinds = {Failure: 0, Error: 0}
for case in cases:
    for result in case.result:
        kinds[type(result)] += 1
assert kinds[Failure] == regressed, kinds
assert kinds[Error] == inconclusive, kinds
assert len(cases) == regressed + inconclusive + ok, len(cases)

# Attributes and children that junit-10.xsd knows (jenkinsci/xunit-plugin).
KNOWN = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname",
         "id", "package", "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": (
        {"name", "time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}


def check(element):
    attributes, children = KNOWN[element.tag]
    assert set(element.attrib) <= attributes, (element.tag, element.attrib)
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        check(child)


check(ElementTree.parse(path).getroot())
print("junit: ok")
