//! The table as people see it.

use super::*;
use crate::cli::demo::calls::Call;
use crate::cli::demo::figures::Count;
use crate::cli::demo::kinds::Kind;

fn figures(requests: u64) -> Figures {
    Figures { requests, failed: 0, fell_back: 31, held: 12 }
}

fn rotated() -> Rotated {
    let what = Kind::OnlyRevoked.words(Duration::from_secs(1));
    Rotated { number: 5, kind: Kind::OnlyRevoked, what, meanwhile: figures(842), slowest: Duration::from_millis(1104) }
}

fn verdict(failed: u64) -> Verdict {
    let failures = if failed == 0 { Vec::new() } else { vec!["SMS c1n2: 401 no".to_owned()] };
    let counts = Call::ALL.map(|call| Count { call, requests: 1, failed: 0 });
    Verdict { total: Figures { failed, ..figures(14_532) }, counts, rotations: vec![rotated()], duplicated: 0, failures }
}

#[test]
fn no_line_is_wider_than_a_terminal_and_columns_stand_under_their_heads() {
    let address: SocketAddr = "127.0.0.1:65535".parse().unwrap();
    let introduction = introduction(address, address, 16);
    assert!(introduction.lines().all(|line| line.len() <= 80), "{introduction}");
    let (head, line) = (introduction.lines().last().unwrap().to_owned(), rotation(&rotated()));
    assert_eq!(line, "#5   only secret revoked 1.1 s too early       842      0        31   12  1.10 s\n");
    assert_eq!((head.len(), line.trim_end().len()), (80, 80));
}

#[test]
fn a_second_without_a_terminal_is_one_line() {
    let mut rates = Rates::default();
    for (at, requests) in [(0, 100), (1, 1003)] {
        let counts = Call::ALL.map(|call| Count { call, requests: requests / 4, failed: 0 });
        rates.add(Duration::from_secs(at), counts, figures(requests));
    }
    let in_use = InUse::Slot { place: 1, of: 2 };
    let moment = Moment { elapsed: Duration::from_secs(1), length: Duration::from_secs(15), under_way: "", in_use, rates: &rates };
    assert_eq!(second(&moment), "1 s    using secret 1 of 2 in the file         903      0         0    0\n");
}

#[test]
fn the_table_tells_rates_totals_and_the_secret_in_use() {
    let mut rates = Rates::default();
    for (at, requests) in [(0, 0), (1, 225)] {
        let counts = Call::ALL.map(|call| Count { call, requests, failed: 0 });
        rates.add(Duration::from_secs(at), counts, figures(requests * 4));
    }
    let (elapsed, length) = (Duration::from_millis(9440), Duration::from_secs(15));
    let moment = Moment { elapsed, length, under_way: "#5 file torn", in_use: InUse::LeftTheFile, rates: &rates };
    let expected = "
 9.4 s of 15 s   #5 file torn

 calls         per second    requests    failed
 SMS                  225         225         0
 Messages             225         225         0
 Verify               225         225         0
 balance              225         225         0
 all                  900         900         0

 using the one that left the file   fell back 31       held 12
";
    assert_eq!(live(&moment), expected);
}

#[test]
fn the_last_line_is_the_verdict_below_what_failed() {
    assert_eq!(ending(&verdict(0)), "\ndemo: 14532 requests, 1 rotations, failed 0, duplicated 0\n");
    assert!(verdict(0).is_kept() && !verdict(1).is_kept());
    let broken = Verdict { duplicated: 1, ..verdict(0) };
    assert!(!broken.is_kept());
    assert_eq!(ending(&verdict(1)), "\nfailed: SMS c1n2: 401 no\ndemo: 14532 requests, 1 rotations, failed 1, duplicated 0\n");
}
