//! The replica id by which Odoo knows this sidecar; stored in the data directory, so that it survives a
//! restart.

use std::fs::{DirBuilder, OpenOptions, read_to_string};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use uuid::Uuid;

use super::Error;

/// Loads or creates the id, and the directory with mode 700. On a full volume a new id lasts until the next
/// start.
pub(super) fn load(directory: &Path) -> Result<Uuid, Error> {
    match load_or_create(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            tracing::warn!(path = %directory.display(), %error, "the replica id cannot be stored: the next start creates another");
            Ok(Uuid::new_v4())
        }
        loaded => loaded.map_err(|error| Error::Data { path: directory.to_owned(), error }),
    }
}

fn load_or_create(directory: &Path) -> io::Result<Uuid> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let path = directory.join("replica");
    match read_to_string(&path) {
        Ok(text) => {
            if let Ok(id) = text.trim().parse() {
                return Ok(id);
            }
            tracing::warn!(path = %path.display(), "the replica id cannot be read: creating a new one");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = Uuid::new_v4();
    // Atomic replace, by rename: a full disk must not leave half an id.
    let draft = directory.join("replica.draft");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    std::fs::rename(&draft, &path)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_id_survives_a_restart_and_the_directory_is_private() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let id = load(&directory).unwrap();
        assert_eq!(load(&directory).unwrap(), id);
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(directory.join("replica"), "nonsense").unwrap();
        assert_ne!(load(&directory).unwrap(), id);
    }

    #[test]
    fn a_file_in_the_way_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        std::fs::write(&path, "").unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}
