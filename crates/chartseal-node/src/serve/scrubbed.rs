//! What a pass over a vault found, kept beside it: a node that is started again knows when the last one was.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use chartseal_codec::{canonical_struct, from_bytes, to_bytes};
use chartseal_wire::Time;

use crate::files::replace;

/// The file in a node's data directory. No backup has it: after a restoration a pass is due.
const FILE: &str = "scrubbed";
/// The most bytes of it. More than so many epochs' counts are in no honest one.
const MAX: u64 = 64 * 1024;

/// What a pass over a vault found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// When it ended.
    pub at: Time,
    /// How many ciphertexts should be here, by what this custodian acknowledged on the chain.
    pub expected: u64,
    /// How many of them were damaged or missing, or their headers were, and are here again.
    pub mended: u64,
    /// How many are damaged or missing, and nobody who was asked has them.
    pub lost: u64,
    /// How many shares that this custodian acknowledged are not here. Nobody else has them: a key holder has to deal anew.
    pub missing_shares: u64,
    /// How many shares are damaged, likewise.
    pub damaged_shares: u64,
    /// What still rests on shares that were dealt to a former committee, by its epoch: these records' patients' apps have
    /// not dealt anew yet.
    pub former: Vec<FormerShares>,
    /// How many ciphertexts belonged to no record, and are gone.
    pub garbage: u64,
}

canonical_struct!(Scrubbed {
    at,
    expected,
    mended,
    lost,
    missing_shares,
    damaged_shares,
    former,
    garbage
});

/// How many of a custodian's shares records rest on that were dealt to the committee of an epoch that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormerShares {
    /// Which.
    pub epoch: u64,
    /// How many shares.
    pub shares: u64,
}

canonical_struct!(FormerShares { epoch, shares });

impl Scrubbed {
    /// How many shares of former committees records rest on.
    pub fn former_shares(&self) -> u64 {
        let shares = self.former.iter().map(|it| it.shares);
        shares.fold(0, u64::saturating_add)
    }

    /// Whether nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.missing_shares == 0 && self.damaged_shares == 0
    }

    /// What the newest pass found; `None` if none ended yet, or the file says nothing that could be understood.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        let file = File::open(directory.join(FILE)).ok()?;
        file.take(MAX + 1).read_to_end(&mut bytes).ok()?;
        let found = (bytes.len() as u64 <= MAX).then(|| from_bytes(&bytes));
        found?.ok()
    }

    /// Keeps it in the place of what the one before found.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let (new, file) = (directory.join("scrubbed.new"), directory.join(FILE));
        replace(&file, &new, &to_bytes(self))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_result_of_a_pass_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Scrubbed::read(folder.path());
        assert_eq!(read(), None);
        let former = |epoch| FormerShares { epoch, shares: 2 };
        let found = Scrubbed {
            at: Time(7),
            missing_shares: 1,
            former: vec![former(1), former(3)],
            ..Scrubbed::default()
        };
        found.write(folder.path()).unwrap();
        assert_eq!(read(), Some(found.clone()));
        assert_eq!((found.former_shares(), found.is_whole()), (4, false));
        let file = folder.path().join(FILE);
        let good = fs::read(&file).unwrap();
        let longer = [&good[..], &[0]].concat();
        let huge = vec![0; 1 << 20];
        let others: [&[u8]; 4] = [&good[..good.len() - 1], &longer, b"", &huge];
        for other in others {
            fs::write(&file, other).unwrap();
            assert_eq!(read(), None);
        }
        found.write(folder.path()).unwrap();
        assert_eq!(read(), Some(found));
    }
}
