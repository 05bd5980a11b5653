//! A preallocated disk reserve, so that open entries can be closed when the volume is full.
//!
//! Released, its space serves three writes: the checkpoint, which copies the write-ahead log into the file
//! before it can truncate it; the closing of entries whose calls have been made; and the deletion of
//! delivered entries. Until it can be allocated again no new entry is accepted. The log is bounded to half of
//! the reserve, so that a checkpoint always fits.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

const RESERVE_FILE_NAME: &str = "reserve";

/// A share of the volume, within bounds: small volumes exist, and large ones need no more.
const VOLUME_DIVISOR: u64 = 8;
const MIN_RESERVE_BYTES: u64 = 256 * 1024;
const MAX_RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// Written if the file system cannot preallocate.
const FILL_BLOCK: [u8; 4096] = [0x5a; 4096];

#[derive(Debug)]
pub(super) struct DiskReserve {
    directory: PathBuf,
    bytes: u64,
    allocated: bool,
}

impl DiskReserve {
    /// The reserve of `directory`; not allocated yet.
    pub(super) fn new(directory: &Path) -> Self {
        let size = statvfs(directory).map_or(0, |volume| volume.f_blocks.saturating_mul(volume.f_frsize));
        let bytes = (size / VOLUME_DIVISOR).clamp(MIN_RESERVE_BYTES, MAX_RESERVE_BYTES);
        Self { directory: directory.to_owned(), bytes, allocated: false }
    }

    /// The bound of the write-ahead log in bytes.
    pub(super) fn max_wal_bytes(&self) -> u64 {
        self.bytes / 2
    }

    /// Whether the reserve is allocated.
    pub(super) fn is_allocated(&self) -> bool {
        self.allocated
    }

    /// Whether the volume has so little space that only deletions may go on. Unknown counts as enough: then
    /// the write itself fails.
    pub(super) fn is_space_low(&self) -> bool {
        statvfs(&self.directory)
            .is_ok_and(|volume| volume.f_bavail.saturating_mul(volume.f_frsize) < self.bytes * 3 / 4)
    }

    /// Allocates the reserve if it is missing; returns whether it is allocated now.
    pub(super) fn ensure_allocated(&mut self) -> bool {
        if !self.allocated {
            self.allocated = self.allocate().is_ok();
            if !self.allocated {
                // Half a reserve is worth more as free space.
                self.release();
            }
        }
        self.allocated
    }

    /// Gives the reserve back to the volume.
    pub(super) fn release(&mut self) {
        self.allocated = false;
        if let Err(error) = std::fs::remove_file(self.path())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the reserve of the data directory cannot be released");
        }
    }

    fn allocate(&self) -> io::Result<()> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.path())?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => fill(&file, self.bytes),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join(RESERVE_FILE_NAME)
    }
}

fn fill(mut file: &File, bytes: u64) -> io::Result<()> {
    for _ in 0..bytes.div_ceil(FILL_BLOCK.len() as u64) {
        io::Write::write_all(&mut file, &FILL_BLOCK)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_allocated_and_released() {
        let directory = tempfile::tempdir().unwrap();
        let mut reserve = DiskReserve::new(directory.path());
        assert!(!reserve.is_allocated() && reserve.max_wal_bytes() <= MAX_RESERVE_BYTES / 2);
        assert!(reserve.ensure_allocated() && reserve.is_allocated());
        let allocated =
            || std::fs::metadata(directory.path().join(RESERVE_FILE_NAME)).map_or(0, |file| file.len());
        assert_eq!(allocated(), reserve.bytes);
        reserve.release();
        assert_eq!((reserve.is_allocated(), allocated()), (false, 0));
        reserve.release();
        assert!(reserve.ensure_allocated(), "again");
    }

    #[test]
    fn a_reserve_that_does_not_fit_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let mut reserve = DiskReserve { bytes: 1 << 60, ..DiskReserve::new(directory.path()) };
        assert!(!reserve.ensure_allocated());
        assert!(!directory.path().join(RESERVE_FILE_NAME).exists());
        assert!(reserve.is_space_low());
    }

    #[test]
    fn file_systems_that_cannot_allocate_are_filled() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fill(file.as_file(), 10_000).unwrap();
        assert_eq!(file.as_file().metadata().unwrap().len(), 3 * 4096);
    }
}
