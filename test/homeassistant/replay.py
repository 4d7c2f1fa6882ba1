"""Home Assistant judges what a bridge published: every message of publishes.jsonl goes through its real MQTT integration.

expected.json lists what must have come of it: entities (unique id -> {"state"}), relays (unique id -> command topic), devices.
looks.json is written: how entities and devices stand in its registries, for the test that started this to compare.
"""
import json
import logging
import os
import pathlib
from unittest.mock import patch

import pytest
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
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
    "homeassistant.helpers.device_registry",
)


@pytest.fixture
def expected_lingering_timers() -> bool:
    return True


@pytest.fixture
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


def look_of(entry):
    return {
        "platform": entry.domain,
        "name": entry.original_name,
        "device_class": entry.original_device_class,
        "unit": entry.unit_of_measurement,
        "icon": entry.original_icon,
        "category": entry.entity_category,
        "enabled": entry.disabled_by is None,
        "precision": entry.options.get("sensor", {}).get("suggested_display_precision"),
        **(entry.capabilities or {}),
    }


def devices_in(hass):
    registry = dr.async_get(hass)
    entries = hass.config_entries.async_entries("mqtt")
    return [device for entry in entries for device in dr.async_entries_for_config_entry(registry, entry.entry_id)]


def device_of(device, devices):
    via = devices.async_get(device.via_device_id) if device.via_device_id else None
    return {
        "name": device.name,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "model_id": device.model_id,
        "hw_version": device.hw_version,
        "sw_version": device.sw_version,
        "serial_number": device.serial_number,
        "connections": sorted(list(pair) for pair in device.connections),
        "via": sorted(id for _, id in via.identifiers) if via else None,
    }


async def replay(hass, name):
    for line in (HERE / name).read_text().splitlines():
        message = json.loads(line)
        async_fire_mqtt_message(hass, message["topic"], message["payload"], 1)
        await hass.async_block_till_done()


def warnings(hass, caplog):
    logged = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith(JUDGES)
    ]
    return logged + [f"issue {issue}" for issue in ir.async_get(hass).issues]


async def test_looks(hass, mqtt_mock, caplog):
    await replay(hass, "retained.jsonl")
    devices = dr.async_get(hass)
    looks = {
        "entities": {entry.unique_id: look_of(entry) for entry in er.async_get(hass).entities.values()},
        "devices": {id: device_of(device, devices) for device in devices_in(hass) for _, id in device.identifiers},
    }
    (HERE / "looks.json").write_text(json.dumps(looks))
    assert not warnings(hass, caplog)


async def test_states(hass, mqtt_mock, caplog, entities_that_are_off_by_default_too):
    expected = json.loads((HERE / "expected.json").read_text())
    await replay(hass, "publishes.jsonl")

    registry = er.async_get(hass)
    found = {entry.unique_id: entry for entry in registry.entities.values()}
    assert sorted(found) == sorted(expected["entities"])
    wrong = {}
    for unique_id, wanted in expected["entities"].items():
        state = hass.states.get(found[unique_id].entity_id)
        if state is None or not agrees(wanted, state.state):
            wrong[unique_id] = {"wanted": wanted, "got": None if state is None else state.state}
    assert not wrong, json.dumps(wrong, indent=1)

    devices = {device.name for device in devices_in(hass)}
    assert set(expected["devices"]) <= devices

    for unique_id, topic in expected["relays"].items():
        mqtt_mock.async_publish.reset_mock()
        await hass.services.async_call("switch", "turn_on", {"entity_id": found[unique_id].entity_id}, blocking=True)
        assert mqtt_mock.async_publish.call_args.args[:2] == (topic, "ON")

    bad = warnings(hass, caplog)
    assert not bad, bad
    print(f"\nREPLAYED entities={len(found)} devices={len(devices)} warnings={len(bad)}")
