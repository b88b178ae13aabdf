//! What a reader has after opening.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Deref, Range};

use zeroize::Zeroizing;

use crate::ContentKey;
use crate::body::{Plain, Prefix};
use crate::deal::Dealer;
use crate::dealing::Dealing;
use crate::header::Header;
use crate::id::CustodianSet;
use crate::sharing::Coins;

/// A record's content, and its [`OpenedInfo`]. All of it is overwritten when it is dropped.
pub struct Opened {
    info: OpenedInfo,
    bytes: Zeroizing<Vec<u8>>,
    content: Range<usize>,
}

impl Opened {
    pub(crate) fn new(header: &Header, plain: Plain, key: &ContentKey) -> Self {
        let content_len = plain.content.len() as u64;
        Self {
            info: OpenedInfo::new(header, plain.prefix, content_len, key),
            bytes: plain.bytes,
            content: plain.content,
        }
    }

    /// The content, byte for byte as it was sealed.
    pub fn content(&self) -> &[u8] {
        self.bytes.get(self.content.clone()).unwrap_or_default()
    }
}

impl Deref for Opened {
    type Target = OpenedInfo;

    fn deref(&self) -> &OpenedInfo {
        &self.info
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes, secret)", self.content.len())
    }
}

/// What whoever opened a record knows beside its content. It holds the key, and is overwritten when it
/// is dropped.
pub struct OpenedInfo {
    header: Header,
    content_len: u64,
    media_type: String,
    attributes: Zeroizing<Vec<u8>>,
    coins: Coins,
    key: ContentKey,
}

impl OpenedInfo {
    pub(crate) fn new(header: &Header, prefix: Prefix, content_len: u64, key: &ContentKey) -> Self {
        Self {
            header: header.clone(),
            content_len,
            media_type: prefix.media_type,
            attributes: prefix.attributes,
            coins: prefix.coins,
            key: key.duplicate(),
        }
    }

    /// The header that it was opened under.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The content's length in bytes.
    pub fn content_len(&self) -> u64 {
        self.content_len
    }

    /// The content's media type.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The author's notes.
    pub fn attributes(&self) -> &[u8] {
        &self.attributes
    }

    /// The secrets of the deal in the header, to send a custodian its share once more.
    ///
    /// Custodians refuse it if its author cheated, which [`audit_deal`](crate::audit_deal) says.
    pub fn dealer(&self) -> Dealer {
        Dealer {
            dealing: Dealing::initial(&self.header),
            key: self.key.duplicate(),
            coins: self.coins.duplicate(),
        }
    }

    /// The secrets of another deal of this record, to the same custodians or to others.
    ///
    /// `epoch` counts a record's deals: 0 is the one in the header, so a re-deal's is not 0.
    /// Anchor `dealer.dealing()`'s epoch, set and root where readers find them.
    pub fn redeal(&self, epoch: NonZeroU64, custodians: CustodianSet) -> Dealer {
        Dealer::again(
            &self.header,
            epoch,
            custodians,
            self.key.duplicate(),
            self.coins.duplicate(),
        )
    }

    pub(crate) fn key(&self) -> &ContentKey {
        &self.key
    }

    pub(crate) fn coins(&self) -> &Coins {
        &self.coins
    }
}

impl fmt::Debug for OpenedInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedInfo({} bytes, secret)", self.content_len)
    }
}
