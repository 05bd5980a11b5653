//! A preallocated reserve on the volume, so that what is begun can be finished when the volume is full.
//!
//! Released, it is room for three things: the checkpoint, which copies the write-ahead log into the file before it
//! can shorten it; the closing of entries whose calls have been made; and the deletion of what Odoo has taken. As
//! long as it cannot be allocated again nothing new is begun. The log is bounded to half of it, so that a
//! checkpoint always fits in.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

const NAME: &str = "reserve";

/// A share of the volume, within bounds: small volumes exist, and large ones need no more.
const SHARE: u64 = 8;
const LEAST_BYTES: u64 = 256 * 1024;
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Written where the file system cannot allocate by itself.
const BLOCK: [u8; 4096] = [0x5a; 4096];

#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    bytes: u64,
    held: bool,
}

impl Room {
    /// The reserve in `directory`, with what an earlier process left of it.
    pub(super) fn of(directory: &Path) -> Self {
        let size = statvfs(directory).map_or(0, |volume| volume.f_blocks.saturating_mul(volume.f_frsize));
        let bytes = (size / SHARE).clamp(LEAST_BYTES, MOST_BYTES);
        Self { directory: directory.to_owned(), bytes, held: false }
    }

    /// The most bytes that the log of changes may have.
    pub(super) fn log_bytes(&self) -> u64 {
        self.bytes / 2
    }

    /// Whether the reserve is there.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Whether so little is free that only deleting may go on. Unknown counts as enough: the write itself fails then.
    pub(super) fn is_scarce(&self) -> bool {
        statvfs(&self.directory)
            .is_ok_and(|volume| volume.f_bavail.saturating_mul(volume.f_frsize) < self.bytes * 3 / 4)
    }

    /// Allocates the reserve where it is not there; whether it is now.
    pub(super) fn hold(&mut self) -> bool {
        if !self.held {
            self.held = self.allocate().is_ok();
            if !self.held {
                // Half a reserve is worth more as free space.
                self.release();
            }
        }
        self.held
    }

    /// Gives the reserve back to the volume.
    pub(super) fn release(&mut self) {
        self.held = false;
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
        self.directory.join(NAME)
    }
}

fn fill(mut file: &File, bytes: u64) -> io::Result<()> {
    for _ in 0..bytes.div_ceil(BLOCK.len() as u64) {
        io::Write::write_all(&mut file, &BLOCK)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_takes_room_and_gives_it_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut room = Room::of(directory.path());
        assert!(!room.is_held() && room.log_bytes() <= MOST_BYTES / 2);
        assert!(room.hold() && room.is_held());
        let allocated = || std::fs::metadata(directory.path().join(NAME)).map_or(0, |file| file.len());
        assert_eq!(allocated(), room.bytes);
        room.release();
        assert_eq!((room.is_held(), allocated()), (false, 0));
        room.release();
        assert!(room.hold(), "again");
    }

    #[test]
    fn a_reserve_that_does_not_fit_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let mut room = Room { bytes: 1 << 60, ..Room::of(directory.path()) };
        assert!(!room.hold());
        assert!(!directory.path().join(NAME).exists());
        assert!(room.is_scarce());
    }

    #[test]
    fn file_systems_that_cannot_allocate_are_filled() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fill(file.as_file(), 10_000).unwrap();
        assert_eq!(file.as_file().metadata().unwrap().len(), 3 * 4096);
    }
}
