//! An image of a gigabyte through four nodes: what it takes of memory, beside one of 64 MiB.

use std::fs::File;
use std::io::{self, Read, Write};

use chartseal::{Ask, Class, Document, Network, Offer, Purpose};
use chartseal_cluster::{Cluster, Serves, Usage, Wiring};

use super::{HEARTBEAT_MS, Result, network_for};
use crate::{Figure, Required};

/// What [`image`] measures.
pub const IMAGE: [&str; 2] = ["streaming/memory-node", "streaming/memory-app"];

const MIB: u64 = 1 << 20;
/// The images' lengths.
const SMALL: u64 = 64 * MIB;
const LARGE: u64 = 1_024 * MIB;
/// How much more the most memory may be that is ever resident.
const FLAT: f64 = 1.25;

/// The most resident memory of a node and of the app that files and reads, after an image of a gigabyte, against that
/// after one of 64 MiB in the same processes. The large image goes in, to all four, and comes out.
///
/// # Errors
/// If the network does not run, or the image comes out otherwise.
pub fn image() -> Result<Vec<Figure>> {
    let cluster = network_for(HEARTBEAT_MS, Wiring::Direct, Serves::Encrypted)?;
    through(&cluster, SMALL)?;
    let small = peaks(&cluster);
    through(&cluster, LARGE)?;
    let large = peaks(&cluster);
    let figures = IMAGE.into_iter().zip(large).zip(small);
    Ok(figures
        .map(|((id, ours), theirs)| Figure {
            id,
            ours,
            theirs,
            other: "the most that was ever resident after 64 MiB",
            unit: "bytes",
            required: Some(Required::Within(FLAT)),
        })
        .collect())
}

/// Of the nodes the most, and of this process.
#[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
fn peaks(cluster: &Cluster) -> [f64; 2] {
    let nodes = cluster.all().into_iter();
    let nodes = nodes.map(|number| cluster.usage(number).peak).max();
    let own = Usage::of(std::process::id()).map(|usage| usage.peak);
    [nodes, own].map(|peak| peak.unwrap_or(0) as f64)
}

fn through(cluster: &Cluster, len: u64) -> Result<()> {
    let mut network = Network::connect(&cluster.place())?;
    let hospital = *network.organizations().first().ok_or("no organization")?;
    let mut author = network.enrol_practitioner(&hospital, &["physician"])?;
    let mut doctor = network.enrol_practitioner(&hospital, &["physician"])?;
    let mut patient = network.enrol_patient(&hospital)?;
    let about = Document::new(Class::IMAGING, "application/dicom", b"");
    let scratch: File = tempfile::tempfile()?;
    let kit = patient.filing_kit();
    let filed = author.file_stream(&mut network, &kit, &about, Image::of(len), scratch)?;
    let offer = Offer::of(Class::IMAGING, network.now().plus_ms(3_600_000));
    patient.grant(&mut network, &doctor, &offer)?;
    let records = [filed.record];
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let mut seen = Compared(Image::of(len));
    doctor.read_stream(&mut network, &ask, &mut seen)?;
    match seen.0.left {
        0 => Ok(()),
        left => Err(format!("{left} bytes of the image are missing").into()),
    }
}

/// Bytes that differ from place to place, of which none is kept.
struct Image {
    left: u64,
}

impl Image {
    fn of(len: u64) -> Self {
        Self { left: len }
    }
}

impl Read for Image {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(to.len());
        for byte in to.iter_mut().take(len) {
            // Any function of the place.
            [*byte, ..] = self.left.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            self.left -= 1;
        }
        Ok(len)
    }
}

/// Takes that image, and nothing else.
struct Compared(Image);

impl Write for Compared {
    fn write(&mut self, some: &[u8]) -> io::Result<usize> {
        let mut expected = vec![0; some.len()];
        self.0.read_exact(&mut expected)?;
        if expected == some {
            Ok(some.len())
        } else {
            Err(io::Error::other("another image"))
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
