//! The values of some rows of one leaf, with their levels.

use bytes::Bytes;

use super::bits::{Fault, Runs, cut, width_of};
use super::decode::{Decoder, Values};
use super::footer::Codec;
use super::pages::{Header, MAX_LEVELS, PageKind, Pages};
use parquet::schema::types::ColumnDescPtr;

/// The levels of the rows at hand. A level that the schema rules out is not there: its list
/// is empty.
#[derive(Debug)]
pub(crate) struct Levels {
    pub(crate) max_definition: i16,
    pub(crate) definitions: Vec<i16>,
    pub(crate) repetitions: Vec<i16>,
    /// Levels, or values where there are none.
    pub(crate) count: usize,
}

/// Decodes one leaf of one row group, some rows at a time.
#[derive(Debug)]
pub(crate) struct LeafReader {
    pub(crate) pages: Pages,
    max_repetition: i16,
    pub(crate) levels: Levels,
    /// The values of the rows at hand, without nulls.
    pub(crate) values: Values,
    dictionary: Option<Values>,
    page: Option<OpenPage>,
    /// Rows that are to be passed and are not yet.
    behind: usize,
}

/// A data page that is being read.
#[derive(Debug)]
struct OpenPage {
    /// Levels to come.
    left: usize,
    /// Repetition levels of the whole page, where values are repeated.
    repetitions: Vec<i16>,
    /// The next of them.
    next: usize,
    definitions: Option<Runs>,
    decoder: Decoder,
}

impl LeafReader {
    pub(crate) fn new(leaf: &ColumnDescPtr, codec: Codec) -> Self {
        Self {
            pages: Pages::new(leaf, codec),
            max_repetition: leaf.max_rep_level(),
            levels: Levels {
                max_definition: leaf.max_def_level(),
                definitions: Vec::new(),
                repetitions: Vec::new(),
                count: 0,
            },
            values: Values::none(leaf),
            dictionary: None,
            page: None,
            behind: 0,
        }
    }

    /// Reads so many rows, all of whose pages have arrived.
    ///
    /// # Errors
    /// For people, why they cannot be decoded.
    pub(crate) fn read(&mut self, rows: usize) -> Result<(), String> {
        self.catch_up()?;
        self.next_rows(rows)
    }

    fn next_rows(&mut self, rows: usize) -> Result<(), String> {
        self.levels.definitions.clear();
        self.levels.repetitions.clear();
        self.levels.count = 0;
        self.values.clear();
        if self.max_repetition == 0 {
            while self.levels.count < rows {
                let missing = rows - self.levels.count;
                let page = self.open_page()?.ok_or("its pages have fewer rows than they say")?;
                let taken = page.left.min(missing);
                self.take(taken)?;
            }
            return Ok(());
        }
        let mut begun = 0;
        loop {
            // A row ends where the next one begins, which only the next page may say.
            if begun == rows && self.page.is_none() && self.next_page_begins_a_row() {
                return Ok(());
            }
            let Some(page) = self.open_page()? else {
                let all = begun == rows;
                return if all {
                    Ok(())
                } else {
                    Err("its pages have fewer rows than they say".into())
                };
            };
            let rest = page.repetitions.get(page.next..).unwrap_or_default();
            let mut taken = 0;
            for repetition in rest {
                if *repetition == 0 {
                    if begun == rows {
                        break;
                    }
                    begun += 1;
                } else if begun == 0 {
                    return Err("its first row begins within a list".into());
                }
                taken += 1;
            }
            if (self.levels.count + taken) as u64 > MAX_LEVELS {
                return Err(format!(
                    "a few of its rows have more than {MAX_LEVELS} values, which cannot be read \
                     at once"
                ));
            }
            if taken == 0 {
                return Ok(());
            }
            self.take(taken)?;
        }
    }

    /// Whether no page goes on with the last row, as far as headers say it.
    fn next_page_begins_a_row(&self) -> bool {
        match self.pages.peek() {
            None => true,
            Some(header) => matches!(header.kind, PageKind::DataV2 { .. }),
        }
    }

    /// The page at hand, or the next one, with levels to come; nothing at the end.
    fn open_page(&mut self) -> Result<Option<&mut OpenPage>, String> {
        while self.page.is_none() {
            let Some((header, body)) = self.pages.open()? else { return Ok(None) };
            if header.kind == PageKind::Dictionary {
                let values = Values::dictionary(&self.pages.leaf, body, header.values);
                self.dictionary = Some(values.map_err(in_a_page)?);
                continue;
            }
            let page = OpenPage::new(&self.pages.leaf, &header, body).map_err(in_a_page)?;
            self.page = Some(page).filter(|page| page.left > 0);
        }
        Ok(self.page.as_mut())
    }

    /// Takes levels of the page at hand, and their values.
    fn take(&mut self, count: usize) -> Result<(), String> {
        let Some(page) = &mut self.page else { return Ok(()) };
        let levels = &mut self.levels;
        let mut values = count;
        if let Some(runs) = &mut page.definitions {
            values = 0;
            let most = levels.max_definition;
            runs.take(count, |level| {
                let level = i16::try_from(level).ok().filter(|level| *level <= most);
                let level = level.ok_or("it has a level that its schema does not have")?;
                levels.definitions.push(level);
                values += usize::from(level == most);
                Ok(())
            })
            .map_err(in_a_page)?;
        }
        if let Some(repetitions) = page.repetitions.get(page.next..page.next + count) {
            levels.repetitions.extend_from_slice(repetitions);
            page.next += count;
        }
        page.decoder.take(values, self.dictionary.as_ref(), &mut self.values).map_err(in_a_page)?;
        levels.count += count;
        page.left -= count.min(page.left);
        if page.left == 0 {
            self.page = None;
        }
        Ok(())
    }

    /// Passes so many rows, as late as can be: whole pages need not be opened.
    pub(crate) fn pass(&mut self, rows: usize) {
        self.behind += rows;
    }

    /// Passes the rows that are to be passed, so that no page is kept for them.
    ///
    /// # Errors
    /// As [`LeafReader::read`].
    pub(crate) fn catch_up(&mut self) -> Result<(), String> {
        /// Rows that are decoded at once, to be forgotten.
        const STEP: usize = 1024;
        let mut rows = std::mem::take(&mut self.behind);
        while rows > 0 {
            if self.page.is_none()
                && let Some(header) = self.pages.peek()
                && let Some(whole) = header.rows(self.max_repetition > 0)
                && let Ok(whole) = usize::try_from(whole)
                && whole <= rows
            {
                self.pages.skip();
                rows -= whole;
                continue;
            }
            let step = rows.min(STEP);
            self.next_rows(step)?;
            rows -= step;
        }
        Ok(())
    }
}

fn in_a_page(fault: Fault) -> String {
    format!("a page is damaged: {fault}")
}

impl OpenPage {
    fn new(leaf: &ColumnDescPtr, header: &Header, mut body: Bytes) -> Result<Self, Fault> {
        let left = usize::try_from(header.values).map_err(|_| "it has too many values")?;
        let (max_repetition, max_definition) = (leaf.max_rep_level(), leaf.max_def_level());
        let mut levels = |most: i16, bytes: Option<u32>| -> Result<Option<Runs>, Fault> {
            let length = match bytes {
                // In the second version the header says how many bytes there are.
                Some(length) => length,
                None if most == 0 => 0,
                None => {
                    let length = cut(&mut body, 4)?;
                    length.first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length))
                }
            };
            let runs = cut(&mut body, usize::try_from(length).unwrap_or(usize::MAX))?;
            if most == 0 {
                return Ok(None);
            }
            Runs::new(runs, width_of(most)).map(Some)
        };
        let (repetition_bytes, definition_bytes) = match header.kind {
            PageKind::DataV2 { repetition_bytes, definition_bytes, .. } => {
                (Some(repetition_bytes), Some(definition_bytes))
            }
            _ => (None, None),
        };
        let mut repetitions = Vec::new();
        if let Some(mut runs) = levels(max_repetition, repetition_bytes)? {
            runs.take(left, |level| {
                let level = i16::try_from(level).ok().filter(|level| *level <= max_repetition);
                repetitions.push(level.ok_or("it has a level that its schema does not have")?);
                Ok(())
            })?;
        }
        let definitions = levels(max_definition, definition_bytes)?;
        let decoder = Decoder::new(leaf, header.encoding, body)?;
        Ok(Self { left, repetitions, next: 0, definitions, decoder })
    }
}
