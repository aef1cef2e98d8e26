"""A controller made with PyPI pychonet: finds a node's objects, reads them by the library's own tables, sets
some properties, and prints what it was told as JSON.

Usage: python controller.py ADDRESS NODE
"""

import asyncio
import json
import sys

from pychonet import ECHONETAPIClient, HomeSolarPower, LowVoltageSmartElectricEnergyMeter, StorageBattery
from pychonet.lib.udpserver import UDPServer

ADDRESS, NODE = sys.argv[1:3]
SOLAR, BATTERY, METER = (0x02, 0x79, 1), (0x02, 0x7D, 1), (0x02, 0x88, 1)


def plain(value):
    """What JSON can hold."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value if isinstance(value, (int, float, str, bool, list)) or value is None else str(value)


async def read(thing):
    """All properties that the library has a function for, at most ten at a time."""
    codes = [code for code in thing.getGetProperties() if code in thing.EPC_FUNCTIONS]
    told = {}
    for first in range(0, len(codes), 10):
        some = codes[first : first + 10]
        values = await thing.update(some)
        told.update(values if len(some) > 1 else {some[0]: values})
    return {f"{code:02X}": plain(value) for code, value in told.items()}


async def raw(api, eoj, code):
    """A property as it came."""
    if not await api.echonetMessage(NODE, *eoj, 0x62, [{"EPC": code}]):
        return None
    group, kind, instance = eoj
    return api.state[NODE]["instances"][group][kind][instance][code].hex()


async def main():
    server = UDPServer(local_ip="127.0.0.1")
    server.run(ADDRESS, 3610, asyncio.get_running_loop())
    api = ECHONETAPIClient(server=server)
    api.configure(message_timeout=50, logger=lambda message: print(message, file=sys.stderr))
    told = {"found": await api.discover(NODE)}
    told["maker"] = api.state[NODE]["manufacturer"]
    for eoj in (SOLAR, BATTERY, METER):
        await api.getAllPropertyMaps(NODE, *eoj)
    solar, battery = HomeSolarPower(NODE, api), StorageBattery(NODE, api)
    meter = LowVoltageSmartElectricEnergyMeter(NODE, api)
    told["solar"], told["battery"], told["meter"] = [await read(it) for it in (solar, battery, meter)]
    told["set"] = {
        "solar A1": await solar.setMessage(0xA1, 1500, pdc=2),
        "solar E1": await solar.setMessage(0xE1, 0, pdc=4),
        "battery EB": await battery.setMessage(0xEB, 1250, pdc=4),
        "battery EC": await battery.setMessage(0xEC, 750, pdc=4),
        "battery DA": await battery.setMessage(0xDA, 0x46),
        "battery DA 99": await battery.setMessage(0xDA, 0x99),
        "meter E5": await meter.setMessage(0xE5, 1),
        "meter E5 100": await meter.setMessage(0xE5, 100),
    }
    told["after"] = {"A1": await solar.update(0xA1), "EB": await battery.update(0xEB)}
    told["day"] = [await raw(api, METER, code) for code in (0xE2, 0xE4, 0xEA, 0xEB)]
    print(json.dumps(told))
    server.close()


asyncio.run(main())
