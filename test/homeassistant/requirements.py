"""Prints what a small Home Assistant with MQTT needs beside itself: the requirements of its integrations and theirs."""
import json
import pathlib

import homeassistant
from homeassistant import bootstrap

COMPONENTS = pathlib.Path(homeassistant.__file__).parent / "components"
# mqtt's form for a broker imports hassio.
OURS = {"mqtt", "hassio", "api", "config", "http", "onboarding", "recorder", "history", "logbook", "energy", "system_log"}
KINDS = {"sensor", "switch", "number", "button", "binary_sensor", "select", "homeassistant", "persistent_notification"}


def requirements(roots):
    seen, found, waiting = set(), set(), set(roots)
    while waiting:
        domain = waiting.pop()
        seen.add(domain)
        manifest = COMPONENTS / domain / "manifest.json"
        if manifest.exists():
            told = json.loads(manifest.read_text())
            found.update(told.get("requirements", []))
            waiting.update(set(told.get("dependencies", [])) - seen)
    return sorted(found)


print("\n".join(requirements(set(bootstrap.DEFAULT_INTEGRATIONS) | OURS | KINDS)))
