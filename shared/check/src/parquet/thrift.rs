//! The part of Thrift's compact protocol that Parquet's footer and page headers use
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).
//!
//! Our own, because the footer comes from strangers: nothing is allocated by a claimed
//! length, and nothing recurses deeper than is said here.

/// Levels of structs and lists within a value that is skipped.
const MAX_DEPTH: usize = 32;

/// Why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes end before it does.
    Ends,
    /// For people, a clause about the bytes.
    Malformed(&'static str),
}

/// Types on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    True,
    False,
    Byte,
    /// 16, 32 or 64 bits.
    Integer,
    Double,
    Binary,
    List,
    Struct,
}

impl Kind {
    fn of(nibble: u8) -> Result<Self, Fault> {
        Ok(match nibble {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            12 => Self::Struct,
            _ => return Err(Fault::Malformed("it has a field of an unknown type")),
        })
    }
}

/// Reads values from bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The fields of a struct, as they come.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    last: i16,
}

impl Fields {
    /// The next field's id and type; nothing after the last.
    pub(crate) fn next(&mut self, reader: &mut Reader<'_>) -> Result<Option<(i16, Kind)>, Fault> {
        let byte = reader.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        let kind = Kind::of(byte & 0x0F)?;
        let id = match i16::from(byte >> 4) {
            0 => i16::try_from(reader.zigzag()?).ok(),
            step => self.last.checked_add(step),
        };
        self.last = id.ok_or(Fault::Malformed("it has a field of an unknown number"))?;
        Ok(Some((self.last, kind)))
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Ends)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        let (&byte, rest) = self.rest.split_first().ok_or(Fault::Ends)?;
        self.rest = rest;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Fault::Malformed("it has a number of more than 64 bits"))
    }

    fn zigzag(&mut self) -> Result<i64, Fault> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// An integer of up to 64 bits.
    pub(crate) fn long(&mut self, kind: Kind) -> Result<i64, Fault> {
        match kind {
            Kind::Integer => self.zigzag(),
            Kind::Byte => Ok(i64::from(self.byte()? as i8)),
            _ => Err(Fault::Malformed("it has something else where a number is due")),
        }
    }

    /// An integer of up to 32 bits.
    pub(crate) fn int(&mut self, kind: Kind) -> Result<i32, Fault> {
        i32::try_from(self.long(kind)?)
            .map_err(|_| Fault::Malformed("it has a number of more than 32 bits"))
    }

    /// Bytes.
    pub(crate) fn binary(&mut self, kind: Kind) -> Result<&'a [u8], Fault> {
        if kind != Kind::Binary {
            return Err(Fault::Malformed("it has something else where a text is due"));
        }
        let length = usize::try_from(self.varint()?).map_err(|_| Fault::Ends)?;
        self.take(length)
    }

    /// A text; what is not UTF-8 in it is replaced.
    pub(crate) fn text(&mut self, kind: Kind) -> Result<String, Fault> {
        Ok(String::from_utf8_lossy(self.binary(kind)?).into_owned())
    }

    /// A boolean field.
    pub(crate) fn boolean(kind: Kind) -> Result<bool, Fault> {
        match kind {
            Kind::True => Ok(true),
            Kind::False => Ok(false),
            _ => Err(Fault::Malformed("it has something else where a boolean is due")),
        }
    }

    /// The fields of a struct.
    pub(crate) fn fields(kind: Kind) -> Result<Fields, Fault> {
        match kind {
            Kind::Struct => Ok(Fields::default()),
            _ => Err(Fault::Malformed("it has something else where a struct is due")),
        }
    }

    /// How many elements a list has, and their type. An element takes at least a byte, so
    /// what claims more is cut short.
    pub(crate) fn list(&mut self, kind: Kind) -> Result<(usize, Kind), Fault> {
        if kind != Kind::List {
            return Err(Fault::Malformed("it has something else where a list is due"));
        }
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Fault::Ends)?,
            count => usize::from(count),
        };
        if count > self.rest.len() {
            return Err(Fault::Ends);
        }
        // Some writers give an empty list no type.
        let kind = if count == 0 { Kind::Byte } else { Kind::of(byte & 0x0F)? };
        Ok((count, kind))
    }

    /// Goes past a value.
    pub(crate) fn skip(&mut self, kind: Kind) -> Result<(), Fault> {
        self.skip_within(kind, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: Kind, depth: usize) -> Result<(), Fault> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Fault::Malformed("it is nested too deep"));
        };
        match kind {
            Kind::True | Kind::False => {}
            Kind::Byte => {
                self.byte()?;
            }
            Kind::Integer => {
                self.varint()?;
            }
            Kind::Double => {
                self.take(8)?;
            }
            Kind::Binary => {
                self.binary(kind)?;
            }
            Kind::List => {
                let (count, kind) = self.list(kind)?;
                for _ in 0..count {
                    // In a list a boolean has a byte of its own.
                    let kind = match kind {
                        Kind::True | Kind::False => Kind::Byte,
                        kind => kind,
                    };
                    self.skip_within(kind, depth)?;
                }
            }
            Kind::Struct => {
                let mut fields = Fields::default();
                while let Some((_, kind)) = fields.next(self)? {
                    self.skip_within(kind, depth)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn fields_of_every_type_are_read_and_skipped() {
        // 1: i32 = -3, 2: true, 3: binary "ab", 20: list of 2 i64 (1, -1), 21: struct {1: byte}
        let bytes =
            [0x15, 5, 0x11, 0x18, 2, b'a', b'b', 0x09, 40, 0x26, 2, 1, 0x1C, 0x13, 9, 0, 0, 99];
        let mut reader = Reader::new(&bytes);
        let mut fields = Fields::default();
        assert_eq!(fields.next(&mut reader), Ok(Some((1, Kind::Integer))));
        assert_eq!(reader.int(Kind::Integer), Ok(-3));
        assert_eq!(fields.next(&mut reader), Ok(Some((2, Kind::True))));
        assert_eq!(Reader::boolean(Kind::True), Ok(true));
        assert_eq!(fields.next(&mut reader), Ok(Some((3, Kind::Binary))));
        assert_eq!(reader.text(Kind::Binary).unwrap(), "ab");
        assert_eq!(fields.next(&mut reader), Ok(Some((20, Kind::List))));
        assert_eq!(reader.list(Kind::List), Ok((2, Kind::Integer)));
        assert_eq!(reader.long(Kind::Integer), Ok(1));
        assert_eq!(reader.long(Kind::Integer), Ok(-1));
        assert_eq!(fields.next(&mut reader), Ok(Some((21, Kind::Struct))));
        reader.skip(Kind::Struct).unwrap();
        assert_eq!(fields.next(&mut reader), Ok(None));
        assert_eq!(reader.rest(), [99]);
        let mut skipping = Reader::new(&bytes);
        skipping.skip(Kind::Struct).unwrap();
        assert_eq!(skipping.rest(), [99]);
        for length in 0..bytes.len() - 1 {
            assert_eq!(Reader::new(&bytes[..length]).skip(Kind::Struct), Err(Fault::Ends));
        }
    }

    #[test]
    fn absurd_claims_are_refused() {
        // A list of 2^31 structs, and a binary of 2^40 bytes.
        let list = [0xFC, 0x80, 0x80, 0x80, 0x80, 8, 0, 0];
        assert_eq!(Reader::new(&list).list(Kind::List), Err(Fault::Ends));
        let binary = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1];
        assert_eq!(Reader::new(&binary).binary(Kind::Binary), Err(Fault::Ends));
        assert!(matches!(Reader::new(&[0xFF; 11]).zigzag(), Err(Fault::Malformed(_))));
        assert!(matches!(Reader::new(&[0x1C; 100]).skip(Kind::Struct), Err(Fault::Malformed(_))));
        assert!(matches!(Reader::new(&[0x19; 100]).skip(Kind::List), Err(Fault::Malformed(_))));
        assert!(matches!(Reader::new(&[0x1E, 0]).skip(Kind::Struct), Err(Fault::Malformed(_))));
    }
}
