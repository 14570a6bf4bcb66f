//! Types of any size in messages of a bounded one.

use landfall_contract::DataType;

/// Characters of a type in a message: a file may state one of any size.
const MAX_TYPE_CHARACTERS: usize = 200;

/// The type in words: whole, or its beginning.
pub(super) fn in_words(data_type: &DataType) -> String {
    cut(&data_type.to_string(), MAX_TYPE_CHARACTERS)
}

/// The text, or its beginning.
pub(super) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_contract::{FieldType, StructField};

    use super::*;

    #[test]
    fn a_type_of_any_size_is_shown_in_few_words() {
        let names: Vec<String> = (0..1000).map(|index| format!("é{index}")).collect();
        let of = |name: &String| StructField {
            name: name.clone(),
            data_type: DataType::Primitive(FieldType::Int),
            required: false,
        };
        let shown = in_words(&DataType::Struct(names.iter().map(of).collect()));
        assert_eq!(shown.chars().count(), MAX_TYPE_CHARACTERS + 3);
        assert!(shown.starts_with("struct<é0: int, é1: int") && shown.ends_with("..."));
        assert_eq!(in_words(&DataType::Primitive(FieldType::Int)), "int");
    }
}
