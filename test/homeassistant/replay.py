"""Home Assistant judges what a bridge published: every message of publishes.jsonl goes through its real MQTT integration.

expected.json lists what must have come of it: entities (unique id -> {"state"}), relays (unique id -> command topic), devices.
"""
import json
import logging
import os
import pathlib
from unittest.mock import patch

import pytest
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

HERE = pathlib.Path(os.environ["REPLAY"])
JUDGES = (
    "homeassistant.components.mqtt",
    "homeassistant.components.sensor",
    "homeassistant.components.switch",
    "homeassistant.components.number",
    "homeassistant.components.select",
    "homeassistant.components.binary_sensor",
    "homeassistant.components.button",
    "homeassistant.helpers.entity",
    "homeassistant.helpers.template",
)


@pytest.fixture
def expected_lingering_timers() -> bool:
    return True


@pytest.fixture(autouse=True)
def entities_that_are_off_by_default_too():
    with patch("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", return_value=True):
        yield


def agrees(wanted, got) -> bool:
    """Whether a state is what was published: unknown stays unknown, and nothing that has a value is unavailable."""
    if "state" not in wanted:
        return got != "unavailable"
    value = wanted["state"]
    if value is None:
        return got == "unknown"
    if isinstance(value, (int, float)):
        return got not in ("unknown", "unavailable") and float(got) == float(value)
    said = {"online": "on", "offline": "off"}.get(value, value)
    return got.lower() == said.lower() or got.startswith(said[:19])


async def replay(hass):
    for line in (HERE / "publishes.jsonl").read_text().splitlines():
        message = json.loads(line)
        async_fire_mqtt_message(hass, message["topic"], message["payload"], 1)
        await hass.async_block_till_done()


async def test_replay(hass, mqtt_mock, caplog):
    expected = json.loads((HERE / "expected.json").read_text())
    await replay(hass)

    registry = er.async_get(hass)
    found = {entry.unique_id: entry for entry in registry.entities.values()}
    assert sorted(found) == sorted(expected["entities"])
    wrong = {}
    for unique_id, wanted in expected["entities"].items():
        state = hass.states.get(found[unique_id].entity_id)
        if state is None or not agrees(wanted, state.state):
            wrong[unique_id] = {"wanted": wanted, "got": None if state is None else state.state}
    assert not wrong, json.dumps(wrong, indent=1)

    devices = {device.name for device in dr.async_get(hass).devices.values()}
    assert set(expected["devices"]) <= devices

    for unique_id, topic in expected["relays"].items():
        mqtt_mock.async_publish.reset_mock()
        await hass.services.async_call("switch", "turn_on", {"entity_id": found[unique_id].entity_id}, blocking=True)
        assert mqtt_mock.async_publish.call_args.args[:2] == (topic, "ON")

    bad = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith(JUDGES)
    ]
    assert not bad, bad
    print(f"\nREPLAYED entities={len(found)} devices={len(devices)} complaints={len(bad)}")
