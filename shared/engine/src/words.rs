//! Figures for people.

/// Bytes: `512 bytes`, `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    // A value that would be shown as 1024.0 belongs to the next unit.
    while value >= 1023.95
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// Seconds: `0.6 s`, `45 s`, `12 min`.
pub fn seconds(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 600.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// US dollars, with two digits that matter: `$0.0000082`, `$1.20`.
pub fn dollars(dollars: f64) -> String {
    if dollars >= 1.0 {
        return format!("${dollars:.2}");
    }
    let digits = if dollars > 0.0 { 1 - dollars.log10().floor() as i32 } else { 2 };
    format!("${dollars:.*}", usize::try_from(digits.max(2)).unwrap_or(2))
}

/// `1 file`, `3 files`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size((1 << 20) - 1), "1.0 MiB");
        assert_eq!(size(5 << 40), "5.0 TiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn seconds_and_dollars_for_people() {
        assert_eq!([seconds(0.62), seconds(45.2), seconds(1800.0)], ["0.6 s", "45 s", "30 min"]);
        assert_eq!(
            [dollars(0.0), dollars(0.00000823), dollars(0.014_666), dollars(1.2)],
            ["$0.00", "$0.0000082", "$0.015", "$1.20"]
        );
        assert_eq!([count(1, "file"), count(0, "file")], ["1 file", "0 files"]);
    }
}
