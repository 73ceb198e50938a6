"""A plant: 150 sensors, and the last 333 readings of each."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from random import Random

from holdfast.data.demo.clock import ANCHOR, between

Row = tuple[object, ...]

SEED = 44
SENSORS, READINGS = 150, 333
INTERVALS = (5, 15, 30)
ZONES = {
    "North": ("Assembly Hall", "Paint Shop", "Warehouse A"),
    "East": ("Boiler Room", "Compressor Hall"),
    "South": ("Cold Storage", "Loading Dock", "Warehouse B"),
    "West": ("Server Room", "Test Bench"),
}
PLACES = tuple((location, zone) for zone, locations in ZONES.items() for location in locations)
USUAL = {"Boiler Room": 38.0, "Cold Storage": 4.0, "Server Room": 24.0, "Compressor Hall": 31.0}
ANOMALIES = ("high_temperature", "low_temperature", "high_humidity", "high_vibration")
ANOMALOUS, MISSING = 0.03, 0.01
COLUMNS = (
    *("sensor_id", "timestamp", "location", "zone", "temperature_c", "humidity_pct", "pressure_hpa"),
    *("vibration_mm_s", "anomaly_flag", "anomaly_type", "battery_pct", "status"),
)


def tables() -> Mapping[str, tuple[tuple[str, ...], list[Row]]]:
    """The readings, sensor by sensor, the last of each within half an hour of the end."""
    chance = Random(SEED)
    return {"sensors": (COLUMNS, [row for number in range(SENSORS) for row in _readings(chance, number)])}


def _readings(chance: Random, number: int) -> Iterator[Row]:
    location, zone = PLACES[number % len(PLACES)]
    step = timedelta(minutes=INTERVALS[number % len(INTERVALS)])
    last = ANCHOR - timedelta(seconds=chance.randrange(1800))
    battery, loss = between(chance, 8, 100), between(chance, 0.002, 0.015, 4)
    for index in range(READINGS):
        moment = last - (READINGS - 1 - index) * step
        level = round(max(0.0, battery - loss * index), 1)
        yield (
            f"SEN-{number + 1:03}",
            moment,
            location,
            zone,
            *_measured(chance, location, moment),
            level,
            _state(chance),
        )


def _measured(chance: Random, location: str, moment: datetime) -> Row:
    """Temperature, humidity, pressure, vibration, and whether that is odd and why."""
    anomaly = chance.choice(ANOMALIES) if chance.random() < ANOMALOUS else ""
    daily = 1.5 if 8 <= moment.hour < 20 else -1.5
    values = {
        "temperature": USUAL.get(location, 21.0) + daily + between(chance, -1.5, 1.5, 1),
        "humidity": between(chance, 35, 60, 1),
        "pressure": between(chance, 1004, 1022, 1),
        "vibration": between(chance, 0.2, 3.5, 2),
    }
    if anomaly:
        values |= _odd(chance, anomaly, values["temperature"])
    shown = [None if chance.random() < MISSING else round(value, 2) for value in values.values()]
    return (*shown, str(bool(anomaly)).lower(), anomaly or None)


def _odd(chance: Random, anomaly: str, temperature: float) -> dict[str, float]:
    return {
        "high_temperature": {"temperature": temperature + between(chance, 15, 35, 1)},
        "low_temperature": {"temperature": temperature - between(chance, 12, 25, 1)},
        "high_humidity": {"humidity": between(chance, 85, 99, 1)},
        "high_vibration": {"vibration": between(chance, 8, 20)},
    }[anomaly]


def _state(chance: Random) -> str:
    drawn = chance.random()
    return "online" if drawn < 0.9 else "offline" if drawn < 0.95 else "maintenance"
