use core::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal: $says:literal,)+) => {
        /// What an export must satisfy. A file that breaks one proves nothing; the verdict names the
        /// first that it breaks, in the order of this table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = $says] $name,)+
        }

        impl Rule {
            /// Every rule, in the order in which they are checked.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its lasting id: `CS-AUD-01`, …
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// What it asks for, as one sentence.
            pub fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)+ }
            }
        }
    };
}

rules! {
    File = "CS-AUD-01": "The file is a C2SP tlog-proof in the one form that Chartseal writes.",
    Export = "CS-AUD-02": "The extra line holds one export in canonical CBOR.",
    Checkpoint = "CS-AUD-03": "The checkpoint is an origin, a size and a root, nothing else.",
    Origin = "CS-AUD-04": "The checkpoint's origin is that of the header's chain.",
    LogSignature = "CS-AUD-05": "The first signature is valid, and by a key that the policy lists for this log.",
    KnownWitness = "CS-AUD-06": "Every other signature is by a witness of the policy.",
    SignatureOrder = "CS-AUD-07": "Witnesses' signatures stand in the policy's order, none twice.",
    Cosignature = "CS-AUD-08": "Every witness's signature is valid.",
    Handover = "CS-AUD-22": "Each handover is of this chain, to the next epoch's committee that its header names, and before the next one and the header.",
    Certificate = "CS-AUD-23": "Every certificate is of its header, and of the epoch of its header and committee.",
    CertificateQuorum = "CS-AUD-24": "Every certificate has the signatures of a quorum of its committee.",
    CertificateSignature = "CS-AUD-25": "Every signature in a certificate is valid under ZIP-215.",
    HandoverInclusion = "CS-AUD-26": "The header of each handover is in the checkpoint's log, at its height.",
    CertifiedLog = "CS-AUD-27": "The checkpoint of a certified header is of the log to which the header commits, with the header behind it.",
    Quorum = "CS-AUD-09": "The witnesses that signed meet the policy's quorum.",
    Needed = "CS-AUD-28": "No witness's signature can be left out: the policy's quorum needs each, or a handover does.",
    Height = "CS-AUD-10": "The header's height is the leaf's index, and the size of the log that it commits to.",
    Inclusion = "CS-AUD-11": "The header is in the checkpoint's log, at its index.",
    Slot = "CS-AUD-12": "A history's map proof shows, under the header's state root, the value at its slot.",
    Count = "CS-AUD-13": "A history has as many entries as the value at its slot says: none is missing, none added.",
    Complete = "CS-AUD-14": "A history's entries give exactly the value at its slot: none is altered or moved.",
    Entry = "CS-AUD-15": "Every entry is an entry in canonical CBOR.",
    EntryHeight = "CS-AUD-16": "Entries' heights never fall, and none is above the header's.",
    Text = "CS-AUD-17": "Every sealed text is one to which an entry of the export commits.",
    RolledBack = "CS-AUD-18": "The export is no older than what was verified before.",
    Fork = "CS-AUD-19": "A log of the size that was verified before has the root that it had then.",
    Growth = "CS-AUD-20": "The log begins with the log that was verified before.",
    Continues = "CS-AUD-21": "A history begins with the entries that were verified before, and goes on in later blocks.",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
