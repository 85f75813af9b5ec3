//! ACL and extended attributes of a file: who else may read it, and what others have noted of it.
//!
//! Not kept is what is about the content (signatures of integrity) or about programs (capabilities).

use std::ffi::{CStr, CString};
use std::fs::File;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::{Errno, Result};

/// Where Linux keeps the ACL.
const ACL: &CStr = c"system.posix_acl_access";
/// Of another content, or of no meaning for one that is not run.
const NOT_KEPT: [&CStr; 3] = [c"security.ima", c"security.evm", c"security.capability"];
/// The longest list of names, and the longest value, that Linux has.
const LONGEST: usize = 64 << 10;

/// The attributes of a file, with their values.
pub(super) struct Attributes(Vec<(CString, Vec<u8>)>);

impl Attributes {
    /// Those of a file; none where its file system has none.
    pub(super) fn of(file: &File) -> Result<Self> {
        let mut names = vec![0; LONGEST];
        let length = match flistxattr(file, names.as_mut_slice()) {
            Err(Errno::NOTSUP) => 0,
            listed => listed?,
        };
        names.truncate(length);
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).filter_map(|name| CString::new(name).ok());
        let kept = names.filter(|name| !NOT_KEPT.contains(&name.as_c_str()));
        kept.map(|name| value(file, &name).map(|value| (name, value))).collect::<Result<_>>().map(Self)
    }

    /// Gives a new file the same ones, and no ACL but this: one that it has from its directory would let others in.
    pub(super) fn put(&self, file: &File) -> Result<()> {
        let has = Self::of(file)?;
        for one @ (name, value) in &self.0 {
            if !has.0.contains(one) {
                fsetxattr(file, name, value, XattrFlags::empty())?;
            }
        }
        if has.has(ACL) && !self.has(ACL) { fremovexattr(file, ACL) } else { Ok(()) }
    }

    fn has(&self, name: &CStr) -> bool {
        self.0.iter().any(|(known, _)| known.as_c_str() == name)
    }
}

fn value(file: &File, name: &CStr) -> Result<Vec<u8>> {
    let mut value = vec![0; LONGEST];
    let length = fgetxattr(file, name, value.as_mut_slice())?;
    value.truncate(length);
    Ok(value)
}
