use std::net::Ipv4Addr;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU8, Ordering};

/// Network namespaces, one a node, each with one address on a bridge that the tests' own namespace has an
/// address on too. All are gone when this is dropped.
#[derive(Debug)]
pub struct Spaces {
    bridge: String,
    subnet: [u8; 3],
    each: Vec<Space>,
}

/// One node's namespace.
#[derive(Clone, Debug)]
pub struct Space {
    /// As `ip netns exec` wants it.
    pub name: String,
    /// Its address on the bridge.
    pub ip: Ipv4Addr,
}

/// How many were made in this process.
static MADE: AtomicU8 = AtomicU8::new(0);

fn ip(words: &[&str]) -> bool {
    let output = Command::new("ip").args(words).output();
    output.is_ok_and(|output| output.status.success())
}

impl Spaces {
    /// Makes them; `None`, and it is said, where that is not allowed.
    pub fn make(nodes: u8) -> Option<Self> {
        let pid = process::id();
        let made = MADE.fetch_add(1, Ordering::SeqCst) % 10;
        let [.., high, low] = pid.to_be_bytes();
        let id = format!("{}x{made}", pid % 100_000);
        let mut spaces = Self {
            bridge: format!("cb{id}"),
            // Beside those of others that run at the same time.
            subnet: [10, high | 0x80, low],
            each: Vec::new(),
        };
        if !ip(&["link", "add", &spaces.bridge, "type", "bridge"]) {
            eprintln!("did not run: no network namespaces can be made here");
            return None;
        }
        let own = format!("{}/24", spaces.own());
        let mut all = ip(&["addr", "add", &own, "dev", &spaces.bridge])
            && ip(&["link", "set", &spaces.bridge, "up"]);
        for number in 1..=nodes {
            all = all && spaces.add(&id, number);
        }
        if !all {
            eprintln!("did not run: no network namespaces can be made here");
            return None;
        }
        Some(spaces)
    }

    fn add(&mut self, id: &str, number: u8) -> bool {
        let [a, b, c] = self.subnet;
        let address = Ipv4Addr::new(a, b, c, number);
        let (outer, inner) = (format!("co{id}n{number}"), format!("ci{id}n{number}"));
        let name = format!("chartseal-{id}-{number}");
        let there = format!("{address}/24");
        if !ip(&["netns", "add", &name]) {
            return false;
        }
        self.each.push(Space {
            name: name.clone(),
            ip: address,
        });
        ip(&[
            "link", "add", &outer, "type", "veth", "peer", "name", &inner,
        ]) && ip(&["link", "set", &inner, "netns", &name])
            && ip(&["link", "set", &outer, "master", &self.bridge])
            && ip(&["link", "set", &outer, "up"])
            && ip(&["-n", &name, "addr", "add", &there, "dev", &inner])
            && ip(&["-n", &name, "link", "set", &inner, "up"])
            && ip(&["-n", &name, "link", "set", "lo", "up"])
    }

    /// The address of the tests' own namespace.
    pub fn own(&self) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, 254)
    }

    /// A node's, by its number from 0.
    pub fn of(&self, number: usize) -> &Space {
        &self.each[number]
    }
}

impl Drop for Spaces {
    fn drop(&mut self) {
        for space in &self.each {
            // With it go both ends of its pair.
            ip(&["netns", "del", &space.name]);
        }
        ip(&["link", "del", &self.bridge]);
    }
}
