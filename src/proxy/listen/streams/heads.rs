//! Whether a peer of HTTP/2 is in the middle of a head, from its bytes alone: h2 says nothing of a head before its end.
//!
//! Only the beginnings of frames are looked at. What is no frame is for h2 to refuse.
//!
//! Facts: RFC 9113 §3.4 (preface), §4.1 (frames), §6.2 and §6.10 (a head is HEADERS and CONTINUATION up to `END_HEADERS`).

/// Before the first frame.
const PREFACE: usize = 24;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Where the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Between heads.
    Between,
    /// A head has begun and not come to its end.
    Within,
}

/// Follows what a peer sends.
#[derive(Debug)]
pub(super) struct Heads {
    standing: Standing,
    /// Where the peer is when the payload is over.
    then: Standing,
    /// What is left of the payload.
    left: usize,
    /// As much as has come of the beginning of a frame: length, type, flags, stream.
    begun: [u8; 9],
    have: usize,
}

impl Default for Heads {
    fn default() -> Self {
        Self { standing: Standing::Between, then: Standing::Between, left: PREFACE, begun: [0; 9], have: 0 }
    }
}

impl Heads {
    /// Where the peer is by now.
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// Takes in what came.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let payload = self.left.min(bytes.len());
            bytes = bytes.get(payload..).unwrap_or_default();
            self.left -= payload;
            if self.left > 0 {
                return;
            }
            self.standing = self.then;
            for (place, byte) in self.begun.iter_mut().skip(self.have).zip(bytes) {
                *place = *byte;
                self.have += 1;
                bytes = bytes.get(1..).unwrap_or_default();
            }
            if self.have == self.begun.len() {
                self.begin();
            }
        }
    }

    fn begin(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.begun;
        self.have = 0;
        self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if matches!(kind, HEADERS | CONTINUATION) {
            self.standing = Standing::Within;
            self.then = if flags & END_HEADERS == 0 { Standing::Within } else { Standing::Between };
        }
        if self.left == 0 {
            self.standing = self.then;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// The standings after each byte, told once when they change.
    fn standings(bytes: &[u8]) -> Vec<Standing> {
        let mut heads = Heads::default();
        heads.take(&[b'x'; PREFACE]);
        let mut told = vec![heads.standing()];
        for byte in bytes {
            heads.take(&[*byte]);
            if told.last() != Some(&heads.standing()) {
                told.push(heads.standing());
            }
        }
        let mut at_once = Heads::default();
        at_once.take(&[&[b'x'; PREFACE], bytes].concat());
        assert_eq!(at_once.standing(), heads.standing(), "in one piece");
        told
    }

    #[test]
    fn a_head_lasts_from_its_first_frame_to_the_end_of_its_last_one() {
        use Standing::{Between, Within};
        assert_eq!(standings(&[]), [Between]);
        assert_eq!(standings(&[frame(4, 0, &[]), frame(0, 0, b"data"), frame(6, 0, b"pingpong")].concat()), [Between]);
        assert_eq!(standings(&frame(HEADERS, END_HEADERS, b"head")), [Between, Within, Between]);
        assert_eq!(standings(&frame(HEADERS, END_HEADERS, b"head")[..11]), [Between, Within]);
        assert_eq!(standings(&frame(HEADERS, 0, b"head")), [Between, Within]);
        let two = [frame(HEADERS, 0, b"head"), frame(CONTINUATION, 0, b""), frame(CONTINUATION, END_HEADERS, b"")].concat();
        assert_eq!(standings(&two), [Between, Within, Between]);
        assert_eq!(standings(&[two.clone(), frame(0, 1, b"body"), two].concat()), [Between, Within, Between, Within, Between]);
    }
}
