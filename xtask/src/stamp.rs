//! Stamps: what a product was made from, so that an unchanged one is not made again.
//!
//! Contents are hashed rather than times compared: a checkout or a `touch` changes times only.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::root;

/// What a product is made from and what it consists of.
pub(crate) struct Stamp {
    /// Where the stamp is kept.
    pub(crate) file: PathBuf,
    /// Files and folders that go in.
    pub(crate) inputs: Vec<PathBuf>,
    /// Files and folders under `inputs` that do not matter.
    pub(crate) ignored: Vec<PathBuf>,
    /// Anything else that matters: versions of tools.
    pub(crate) versions: String,
    /// Files that come out.
    pub(crate) outputs: Vec<PathBuf>,
}

impl Stamp {
    /// What goes in, as it is now. Taken before the work begins: an edit while it goes on is not in the product.
    pub(crate) fn before(&self) -> Result<String> {
        let inputs = hash_of(&self.inputs, &self.ignored)?;
        Ok(format!("{}\ninputs {inputs:016x}", self.versions))
    }

    /// Whether the product was made from that, and is still as it was made.
    pub(crate) fn is_current(&self, before: &str) -> Result<bool> {
        if !self.outputs.iter().all(|output| output.is_file()) {
            return Ok(false);
        }
        let Ok(written) = fs::read_to_string(&self.file) else { return Ok(false) };
        Ok(written == self.text(before)?)
    }

    /// Removes the stamp and the files that come out: a failed attempt must not pass for a product.
    pub(crate) fn clear(&self) -> Result<()> {
        for file in std::iter::once(&self.file).chain(&self.outputs) {
            match fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Records that the outputs, as they are now, are made from that.
    pub(crate) fn write(&self, before: &str) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&self.file, self.text(before)?).with_context(|| format!("cannot write {}", self.file.display()))
    }

    /// The outputs are hashed too: somebody may have built into the same place by other means.
    fn text(&self, before: &str) -> Result<String> {
        Ok(format!("{before}\noutputs {:016x}\n", hash_of(&self.outputs, &[])?))
    }
}

/// Hash of names and contents of files and of everything in folders; what does not exist counts as absent.
pub(crate) fn hash_of(paths: &[PathBuf], ignored: &[PathBuf]) -> Result<u64> {
    let files = files_in(paths, ignored)?;
    let mut hasher = DefaultHasher::new();
    for file in &files {
        // A copy of the project has the same stamps.
        file.strip_prefix(root()).unwrap_or(file).hash(&mut hasher);
        fs::read(file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// The files among paths and in their folders, at any depth, in order.
pub(crate) fn files_in(paths: &[PathBuf], ignored: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, ignored, &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn collect(path: &Path, ignored: &[PathBuf], files: &mut Vec<PathBuf>) -> Result<()> {
    if ignored.iter().any(|ignored| ignored == path) {
        return Ok(());
    }
    if path.is_file() {
        files.push(path.to_owned());
    } else if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        for entry in entries {
            collect(&entry?.path(), ignored, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for one test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-stamp-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/lib.rs"), "one").unwrap();
        fs::write(folder.join("out"), "made").unwrap();
        folder
    }

    fn stamp(folder: &Path) -> Stamp {
        Stamp {
            file: folder.join("stamps/stamp"),
            inputs: vec![folder.join("src"), folder.join("LICENSE")],
            ignored: vec![folder.join("src/ignored")],
            versions: "tool 1".to_owned(),
            outputs: vec![folder.join("out")],
        }
    }

    fn is_current(stamp: &Stamp) -> bool {
        stamp.is_current(&stamp.before().unwrap()).unwrap()
    }

    #[test]
    fn is_current_until_something_that_matters_changes() {
        let folder = folder("changes");
        let mut stamp = stamp(&folder);
        assert!(!is_current(&stamp), "before it was written");
        stamp.write(&stamp.before().unwrap()).unwrap();
        assert!(is_current(&stamp), "unchanged");

        fs::write(folder.join("src/ignored"), "x").unwrap();
        assert!(is_current(&stamp), "an ignored file");

        fs::write(folder.join("src/lib.rs"), "two").unwrap();
        assert!(!is_current(&stamp), "contents of an input");
        fs::write(folder.join("src/lib.rs"), "one").unwrap();
        assert!(is_current(&stamp), "the same contents, written again");

        fs::write(folder.join("LICENSE"), "").unwrap();
        assert!(!is_current(&stamp), "an input that did not exist");
        fs::remove_file(folder.join("LICENSE")).unwrap();

        fs::write(folder.join("out"), "made by hand").unwrap();
        assert!(!is_current(&stamp), "an output made by other means");
        fs::write(folder.join("out"), "made").unwrap();
        assert!(is_current(&stamp));

        stamp.versions = "tool 2".to_owned();
        assert!(!is_current(&stamp), "another tool");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_edit_while_the_work_goes_on_is_not_in_the_product() {
        let folder = folder("edit");
        let stamp = stamp(&folder);
        let before = stamp.before().unwrap();
        fs::write(folder.join("src/lib.rs"), "two").unwrap();
        stamp.write(&before).unwrap();
        assert!(!is_current(&stamp));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn clearing_removes_outputs_and_stamp() {
        let folder = folder("clear");
        let stamp = stamp(&folder);
        stamp.write(&stamp.before().unwrap()).unwrap();
        stamp.clear().unwrap();
        assert!(!folder.join("out").exists());
        assert!(!is_current(&stamp));
        stamp.clear().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn moving_bytes_between_files_changes_the_hash() {
        let folder = folder("moving");
        let paths = [folder.join("a"), folder.join("b")];
        let hash = |first: &str, second: &str| {
            fs::write(&paths[0], first).unwrap();
            fs::write(&paths[1], second).unwrap();
            hash_of(&paths, &[]).unwrap()
        };
        assert_ne!(hash("xy", "z"), hash("x", "yz"));
        fs::remove_dir_all(folder).unwrap();
    }
}
