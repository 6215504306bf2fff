//! Suites and master keys of SRTP, and the session keys that follow from them (RFC 3711 4.3, RFC 7714 11).

use super::SrtpSuite;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes128, Aes256};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest master key with its salt, in bytes.
const LONGEST: usize = 46;

/// What session keys are for (RFC 3711 4.3.2).
#[derive(Clone, Copy)]
pub(super) enum Label {
    Encryption = 0,
    Authentication = 1,
    Salt = 2,
}

/// The longest master key identifier, in bytes.
pub const MAX_MKI: usize = 8;

/// What in a packet names its master key (RFC 3711 3.1); nothing where there is but one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mki {
    value: [u8; MAX_MKI],
    length: u8,
}

impl Mki {
    fn new(value: u64, length: usize) -> Option<Self> {
        let bytes = value.to_be_bytes();
        let zeros = MAX_MKI.checked_sub(length).filter(|_| length > 0)?;
        let (over, own) = bytes.split_at_checked(zeros)?;
        let mut mki = Self { value: [0; MAX_MKI], length: u8::try_from(length).ok()? };
        mki.value.get_mut(..length)?.copy_from_slice(own);
        over.iter().all(|byte| *byte == 0).then_some(mki)
    }

    pub(super) fn length(self) -> usize {
        self.length.into()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.value.get(..self.length()).unwrap_or_default()
    }
}

/// A master key with its salt. Can't be printed, and is wiped when dropped.
#[derive(Clone)]
pub struct SrtpKey {
    suite: SrtpSuite,
    bytes: Zeroizing<[u8; LONGEST]>,
    lifetime: u64,
    mki: Mki,
}

impl SrtpKey {
    /// From key and salt in one row, as SDES and DTLS-SRTP give them. `None`: not as long as the suite wants.
    pub fn new(suite: SrtpSuite, key_and_salt: &[u8]) -> Option<Self> {
        if key_and_salt.len() != suite.key_length() + suite.salt_length() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; LONGEST]);
        bytes.get_mut(..key_and_salt.len())?.copy_from_slice(key_and_salt);
        Some(Self { suite, bytes, lifetime: super::MAX_PACKETS, mki: Mki::default() })
    }

    /// The same, good for so many packets only.
    #[must_use]
    pub fn lasting(self, packets: u64) -> Self {
        Self { lifetime: packets.min(super::MAX_PACKETS), ..self }
    }

    /// The same, named in every packet by a number of `length` bytes, at most [`MAX_MKI`]. `None`: it has no room there.
    pub fn named(self, value: u64, length: usize) -> Option<Self> {
        Some(Self { mki: Mki::new(value, length)?, ..self })
    }

    pub(super) fn mki(&self) -> Mki {
        self.mki
    }

    /// Whether it is the same secret, whatever it is named: its counters go on.
    pub(super) fn is_same_secret(&self, other: &Self) -> bool {
        self.suite == other.suite && bool::from(self.bytes.ct_eq(other.bytes.as_slice()))
    }

    /// The suite it is for.
    pub fn suite(&self) -> SrtpSuite {
        self.suite
    }

    pub(super) fn lifetime(&self) -> u64 {
        self.lifetime
    }

    fn master(&self) -> &[u8] {
        self.bytes.get(..self.suite.key_length()).unwrap_or_default()
    }

    fn salt(&self) -> &[u8] {
        let from = self.suite.key_length();
        self.bytes.get(from..from + self.suite.salt_length()).unwrap_or_default()
    }

    /// A session key: the keystream of AES in counter mode under the master key (the key derivation rate is 0). `rtcp`
    /// moves the label on by three.
    pub(super) fn derive(&self, label: Label, rtcp: bool, out: &mut [u8]) {
        let mut counter = [0; 16];
        for (to, from) in counter.iter_mut().zip(self.salt()) {
            *to = *from;
        }
        counter[7] ^= label as u8 + if rtcp { 3 } else { 0 };
        out.fill(0);
        match self.suite {
            SrtpSuite::AeadAes256Gcm => {
                if let Ok(aes) = Aes256::new_from_slice(self.master()) {
                    ctr::Ctr128BE::from_core(ctr::CtrCore::inner_iv_init(&aes, &counter.into()))
                        .apply_keystream(out);
                }
            }
            _ => {
                if let Ok(aes) = Aes128::new_from_slice(self.master()) {
                    keystream(&aes, counter, out);
                }
            }
        }
    }
}

/// XORs the keystream of AES-128 in counter mode into `bytes`.
pub(super) fn keystream(aes: &Aes128, counter: [u8; 16], bytes: &mut [u8]) {
    let core = ctr::CtrCore::<&Aes128, ctr::flavors::Ctr128BE>::inner_iv_init(aes, &counter.into());
    aes::cipher::StreamCipherCoreWrapper::from_core(core).apply_keystream(bytes);
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SrtpKey({:?}, [redacted])", self.suite)
    }
}

impl PartialEq for SrtpKey {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_secret(other) && (self.mki, self.lifetime) == (other.mki, other.lifetime)
    }
}

impl Eq for SrtpKey {}
