//! Whether what is written at a path is still there after a restart, by the table of mounts of the system.
//!
//! Not here: reading the table. Facts: `proc_pid_mountinfo(5)`; the kubelet keeps volumes of a pod below
//! `volumes/kubernetes.io~KIND/`.

use std::path::{Path, PathBuf};

/// File systems that are gone with the machine or with the container.
const VOLATILE: [(&str, &str); 6] = [
    ("tmpfs", "memory (tmpfs)"),
    ("ramfs", "memory (ramfs)"),
    ("devtmpfs", "memory (devtmpfs)"),
    ("overlay", "the layer of a container (overlay)"),
    ("aufs", "the layer of a container (aufs)"),
    ("fuse-overlayfs", "the layer of a container (fuse-overlayfs)"),
];
/// Volumes that end with their pod, or that Kubernetes writes.
const OF_A_POD: [(&str, &str); 4] = [
    ("/kubernetes.io~empty-dir/", "an emptyDir, which ends with its pod"),
    ("/kubernetes.io~projected/", "a projected volume, which Kubernetes writes"),
    ("/kubernetes.io~secret/", "the volume of a Secret, which Kubernetes writes"),
    ("/kubernetes.io~configmap/", "the volume of a ConfigMap, which Kubernetes writes"),
];

/// What a path lies on, in words, when that does not survive a restart. `path` is absolute and has no links; `table` is
/// `/proc/self/mountinfo`.
pub fn volatile(table: &str, path: &Path) -> Option<&'static str> {
    let mounts = table.lines().filter_map(mount).filter(|mount| path.starts_with(&mount.point));
    // A later mount at the same place hides an earlier one.
    let over = mounts.max_by_key(|mount| mount.point.components().count())?;
    let of_a_pod = OF_A_POD.iter().find(|(part, _)| over.root.contains(part));
    of_a_pod.or_else(|| VOLATILE.iter().find(|(kind, _)| *kind == over.kind)).map(|(_, words)| *words)
}

struct Mount {
    root: String,
    point: PathBuf,
    kind: String,
}

fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (unescaped(before.next()?), unescaped(before.next()?));
    Some(Mount { root, point: PathBuf::from(point), kind: after.split(' ').next()?.to_owned() })
}

/// Spaces and the like are written as three octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /dev rw - devtmpfs udev rw
24 22 0:20 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
30 22 259:2 /var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/state /state rw - ext4 /dev/vda rw
31 22 8:1 /volume /data rw - ext4 /dev/sda1 rw
32 22 0:40 / /etc/vonage\\040sidecar ro - tmpfs tmpfs rw
33 31 0:41 / /data/layers rw - overlay overlay rw
34 33 8:2 / /data/layers rw - xfs /dev/sdb rw";

    #[test]
    fn what_ends_with_the_machine_the_container_or_the_pod_is_named() {
        let on = |path: &str| volatile(TABLE, Path::new(path));
        assert_eq!(on("/var/lib/vonage-sidecar"), None);
        assert_eq!(on("/run/vonage-sidecar/state"), Some("memory (tmpfs)"));
        assert_eq!(on("/state"), Some("an emptyDir, which ends with its pod"));
        assert_eq!(on("/data/state"), None);
        assert_eq!(on("/runner/state"), None, "only whole names count");
        assert_eq!(on("/etc/vonage sidecar/state"), Some("memory (tmpfs)"));
        assert_eq!(on("/data/layers/state"), None, "the later mount hides the overlay");
        assert_eq!(volatile("22 1 0:1 / / rw - overlay overlay rw", Path::new("/state")), Some("the layer of a container (overlay)"));
        assert_eq!(volatile("", Path::new("/state")), None);
    }
}
