//! Writes the sample that comes with the project to standard output:
//! `cargo run -p wattbook-devices --example make_sample > crates/devices/samples/homes6_30min.csv`

fn main() {
    print!("{}", wattbook_devices::profile::sample::csv(&wattbook_devices::profile::sample::make()));
}
