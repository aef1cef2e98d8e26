//! Blocks and keys in the library's terms.
//!
//! Always: a block's digest is its id, which commits to the signed header; one that is decoded has
//! contents to which that header commits, so that the digest stands for every byte. Encoding: length
//! (4 bytes, big-endian), then the canonical bytes of the block.

use super::MAX_BLOCK_BYTES;
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, DecodeExt, EncodeSize, Error, Read, Write};
use commonware_consensus::{BoundedBlock, Heightable, types::Height as LibraryHeight};
use commonware_cryptography::{Digested, Digestible, ed25519, sha256};
use std::sync::Arc;
use wattbook_types::{Block, BlockId, Height, PublicKey, SecretKey};

/// Bytes before the block's own.
const LENGTH_BYTES: usize = 4;

/// A block as it travels and is stored.
#[derive(Clone, Debug)]
pub(super) struct WireBlock {
    block: Arc<Block>,
    id: BlockId,
    bytes: Bytes,
}

impl WireBlock {
    /// Wraps a block. Nothing if it is longer than a block may be.
    pub fn new(block: Block) -> Option<Self> {
        let bytes = borsh::to_vec(&block).expect("a vector takes every byte");
        (bytes.len() <= MAX_BLOCK_BYTES).then(|| Self {
            id: block.id(),
            block: Arc::new(block),
            bytes: bytes.into(),
        })
    }

    /// The block.
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Its name.
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// With its digest, as the library passes blocks around.
    pub fn digested(self) -> Digested<Self> {
        let digest = self.digest();
        Digested::precomputed(self, digest)
    }
}

impl Write for WireBlock {
    fn write(&self, buf: &mut impl BufMut) {
        buf.put_u32(self.bytes.len() as u32);
        buf.put_slice(&self.bytes);
    }
}

impl EncodeSize for WireBlock {
    fn encode_size(&self) -> usize {
        LENGTH_BYTES + self.bytes.len()
    }
}

impl Read for WireBlock {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        if buf.remaining() < LENGTH_BYTES {
            return Err(Error::EndOfBuffer);
        }
        let length = buf.get_u32() as usize;
        if length > MAX_BLOCK_BYTES {
            return Err(Error::InvalidLength(length));
        }
        if buf.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        let bytes = buf.copy_to_bytes(length);
        let block: Block =
            borsh::from_slice(&bytes).map_err(|error| Error::Wrapped("block", Box::new(error)))?;
        if !block.contents_match_header() {
            return Err(Error::Invalid("block", "contents do not match the header"));
        }
        Ok(Self { id: block.id(), block: Arc::new(block), bytes })
    }
}

impl Digestible for WireBlock {
    type Digest = sha256::Digest;

    fn digest(&self) -> sha256::Digest {
        digest(self.id)
    }
}

impl Heightable for WireBlock {
    fn height(&self) -> LibraryHeight {
        LibraryHeight::new(self.block.height().number())
    }
}

impl commonware_consensus::Block for WireBlock {
    fn parent(&self) -> sha256::Digest {
        digest(self.block.parent())
    }
}

impl BoundedBlock for WireBlock {
    fn max_encode_size(_: &()) -> usize {
        LENGTH_BYTES + MAX_BLOCK_BYTES
    }
}

/// A block's name as a digest.
pub(super) fn digest(id: BlockId) -> sha256::Digest {
    sha256::Digest(*id.as_bytes())
}

/// A height in our terms.
pub(super) fn height(height: LibraryHeight) -> Height {
    Height::from_number(height.get())
}

/// A server's key in the library's terms. Nothing if it is not a point of the curve.
pub(super) fn public_key(key: &PublicKey) -> Option<ed25519::PublicKey> {
    let PublicKey::Ed25519(bytes) = key;
    ed25519::PublicKey::decode(bytes.to_vec()).ok()
}

/// A server's key in our terms.
pub(super) fn our_public_key(key: &ed25519::PublicKey) -> PublicKey {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.as_ref());
    PublicKey::Ed25519(bytes)
}

/// This server's secret key in the library's terms.
pub(super) fn secret_key(key: &SecretKey) -> ed25519::PrivateKey {
    ed25519::PrivateKey::decode(key.seed().to_vec()).expect("every seed is a key")
}
