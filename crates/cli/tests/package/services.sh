#!/bin/sh
# Runs inside a freshly booted system: makes a community, runs every part of it as a service as docs/service.md
# says, waits until something was sold, stops all, and writes what came of it to /outcome.
exec >/outcome 2>&1
set -eu
trap 'echo "ended with $?"; systemctl poweroff --force' EXIT

echo "four random words here" >/passphrase
chmod 0600 /passphrase
wattbook init /community --servers 4 --homes 1 --slot-seconds 2 --passphrase-file /passphrase --yes
install -d -m 0700 /etc/credstore
units=""
for folder in servers/server-1 servers/server-2 servers/server-3 servers/server-4 storage homes/home-1; do
  name=$(basename $folder)
  part=$(basename /community/$folder/*.toml .toml)
  cp -r /community/$folder /etc/wattbook/$name
  chown -R wattbook:wattbook /etc/wattbook/$name
  install -m 0600 /passphrase /etc/credstore/wattbook-$name.passphrase
  units="$units wattbook-$part@$name.service"
done
# The parts have it from systemd alone.
mv /passphrase /community.passphrase

systemd-run --quiet --unit=devices wattbook device sim site --config /community/site.toml
systemctl enable --quiet $units
systemctl start $units
for unit in $units; do
  echo "started: $unit $(systemctl show --property=ActiveState --property=User --value $unit | tr '\n' ' ')"
done
systemctl reload $units
timeout 200 sh -c 'until wattbook status --community /community --json | grep "\"sold_wh\": *[1-9]" >/dev/null; do sleep 0.5; done'
echo "sold: yes"
systemctl stop $units
for unit in $units; do
  properties="--property=ExecMainStatus --property=NRestarts --property=Result"
  echo "stopped: $unit $(systemctl show $properties $unit | sort | tr '\n' ' ')"
done
echo "books: $(ls /var/lib/wattbook | tr '\n' ' ') $(stat --format=%U:%a /var/lib/wattbook/storage)"
echo "journal: $(journalctl --quiet --unit=wattbook-server@server-1 --priority=info --output=cat | grep --count serving)"
echo "secrets: $(journalctl --quiet | grep --count 'four random words' || true)"
echo "done"
