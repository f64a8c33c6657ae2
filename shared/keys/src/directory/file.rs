use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    path::Path,
};

use zeroize::Zeroizing;

use crate::{StoreError, private::MAX_PRIVATE_JWK};

/// Reads a private file, if nobody but its owner can. `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(path, &error)),
    };
    // Asked of the open file, so that nothing can be swapped in between.
    let metadata = file.metadata().map_err(|error| refused(path, &error))?;
    if !metadata.is_file() {
        return Err(malformed(path, "not a file", "remove it"));
    }
    is_private(path, &metadata, 0o077, "600")?;
    // One read into a buffer that does not grow, because growing would leave copies of the secret behind.
    let mut content = Zeroizing::new(vec![0; MAX_PRIVATE_JWK + 1]);
    let mut length = 0;
    while let Some(rest) = content.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(refused(path, &error)),
        }
    }
    if length > MAX_PRIVATE_JWK {
        return Err(malformed(
            path,
            "too long for a key",
            "restore it from a backup, or rotate and remove it",
        ));
    }
    content.truncate(length);
    Ok(Some(content))
}

/// Writes a file that only its owner can read, all or nothing: it has its name when its content is on the disk.
pub(super) fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let path = folder.join(name);
    let written = (|| {
        // `tempfile` makes the file with mode 0600.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        sync(folder)
    })();
    written.map_err(|error| refused(&path, &error))
}

/// Gives a file another name.
pub(super) fn rename(folder: &Path, from: &str, to: &str) -> Result<(), StoreError> {
    let path = folder.join(from);
    match fs::rename(&path, folder.join(to)).and_then(|()| sync(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| refused(&path, &error)),
    }
}

/// Makes a folder that only its owner can enter, and those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| refused(path, &error))
}

/// Waits until nobody else changes the folder; the lock goes with the file, also when the process dies.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(".lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|error| refused(&path, &error))?;
    file.lock().map_err(|error| refused(&path, &error))?;
    Ok(file)
}

/// Refuses files and folders that others can reach. `others` are the bits that may not be set, `mode` is the mend.
#[cfg(unix)]
pub(super) fn is_private(
    path: &Path,
    metadata: &fs::Metadata,
    others: u32,
    mode: &str,
) -> Result<(), StoreError> {
    let actual = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    if actual & others == 0 {
        return Ok(());
    }
    Err(StoreError::Denied(format!(
        "`{path}` has mode {actual:03o}, so that others can reach it; run `chmod {mode} '{path}'`, and rotate the key if they could",
        path = path.display()
    )))
}

/// Elsewhere the folder has the access list of the user's profile.
#[cfg(not(unix))]
pub(super) fn is_private(_: &Path, _: &fs::Metadata, _: u32, _: &str) -> Result<(), StoreError> {
    Ok(())
}

/// Says what to do about a path that could not be used.
pub(super) fn refused(path: &Path, error: &io::Error) -> StoreError {
    let path = path.display();
    match error.kind() {
        ErrorKind::PermissionDenied => StoreError::Denied(format!(
            "`{path}` is not open to this user; run this as its owner, or `chown` it"
        )),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => StoreError::Unavailable(format!(
            "`{path}` leads through a file; name a folder as the `directory` of the store"
        )),
        ErrorKind::NotFound => StoreError::Unavailable(format!(
            "the folder of `{path}` does not exist; mend `directory`, or make the first key with `drawbridge keys create`"
        )),
        ErrorKind::ReadOnlyFilesystem => StoreError::Unavailable(format!(
            "`{path}` is on a read-only file system; mount it for writing, or use another store"
        )),
        ErrorKind::StorageFull => {
            StoreError::Unavailable(format!("the disk of `{path}` is full; make room and try again"))
        }
        _ => StoreError::Unavailable(format!("`{path}`: {error}; mend that and try again")),
    }
}

/// Something is there, but it is no key.
pub(super) fn malformed(path: &Path, what: &str, mend: &str) -> StoreError {
    StoreError::Malformed(format!("`{}` is {what}; {mend}", path.display()))
}

/// A rename is on the disk when its folder is.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
