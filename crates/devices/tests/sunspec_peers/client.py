"""pysunspec2 as a client: scans a device, sets points, and says what it reads, as one line of JSON.

client.py HOST PORT UNIT [--tls CA CERT KEY] [MODEL.POINT=VALUE ...]
"""

import json
import sys

from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP


def main(host, port, unit, *rest):
    tls = {}
    if rest and rest[0] == "--tls":
        tls = dict(tls=True, cafile=rest[1], certfile=rest[2], keyfile=rest[3])
        rest = rest[4:]
    device = SunSpecModbusClientDeviceTCP(
        slave_id=int(unit), ipaddr=host, ipport=int(port), timeout=5, **tls
    )
    device.scan()
    # Points of one model that are set one after another are written in one go.
    touched = []
    for setting in rest:
        name, value = setting.split("=")
        number, point = name.split(".", 1)
        model = device.models[int(number)][0]
        model.points[point].cvalue = float(value) if "." in value else int(value)
        if model not in touched:
            touched.append(model)
    for model in touched:
        model.write()
    shown = {}
    for number, models in device.models.items():
        if not isinstance(number, int):
            continue
        model = models[0]
        if model.gdef is None:
            # A vendor's model, which it cannot know.
            shown[number] = {"L": model.model_len}
            continue
        model.read()
        points = {name: point.cvalue for name, point in model.points.items()}
        shown[number] = {name: value for name, value in points.items() if value is not None}
    print(json.dumps(shown))
    device.close()


main(*sys.argv[1:])
