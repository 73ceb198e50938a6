"""What people of a country are called, for data that have the country."""

_SAID = {
    "italy": "italian", "france": "french", "germany": "german", "spain": "spanish", "austria": "austrian",
    "switzerland": "swiss", "netherlands": "dutch", "the netherlands": "dutch", "belgium": "belgian",
    "portugal": "portuguese", "poland": "polish", "denmark": "danish", "sweden": "swedish", "norway": "norwegian",
    "finland": "finnish", "ireland": "irish", "united kingdom": "british", "uk": "british", "greece": "greek",
    "japan": "japanese", "china": "chinese", "india": "indian", "brazil": "brazilian", "mexico": "mexican",
    "canada": "canadian", "australia": "australian", "united states": "american", "usa": "american", "us": "american",
    "turkey": "turkish", "croatia": "croatian", "czech republic": "czech", "hungary": "hungarian",
}  # fmt: skip
COUNTRY_OF: dict[str, tuple[str, ...]] = {country: (people,) for country, people in _SAID.items()}
