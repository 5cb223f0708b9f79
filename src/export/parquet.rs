//! Long tables as Parquet files: every column optional, numbers as in the CSV (9 significant digits), text whole and raw.

#[cfg(feature = "parquet")]
pub use written::bytes;

/// Says how to build the program that can.
///
/// # Errors
/// Always.
#[cfg(not(feature = "parquet"))]
pub fn bytes(_: &super::sheet::Sheet) -> crate::error::Result<Vec<u8>> {
    let problem =
        "--format parquet: this program was built without it: build it with --features parquet, or take jsonl";
    Err(crate::error::Error::usage(problem))
}

#[cfg(feature = "parquet")]
mod written {
    use std::sync::Arc;

    use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
    use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
    use parquet::errors::Result;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
    use parquet::schema::types::Type;

    use crate::error::Error;
    use crate::export::csv::rounded;
    use crate::export::sheet::{Cell, Of, Sheet};

    /// The table as a file.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn bytes(sheet: &Sheet) -> crate::error::Result<Vec<u8>> {
        encoded(sheet).map_err(|e| Error::failed(format!("{}: cannot be written as Parquet: {e}", sheet.name)))
    }

    fn encoded(sheet: &Sheet) -> Result<Vec<u8>> {
        let fields = sheet.columns.iter().map(field).collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(Type::group_type_builder(sheet.name).with_fields(fields).build()?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        for (at, &(_, of)) in sheet.columns.iter().enumerate() {
            match of {
                Of::Counts => column::<Int64Type>(&mut group, sheet.column(at).map(count))?,
                Of::Numbers => column::<DoubleType>(&mut group, sheet.column(at).map(a_number))?,
                Of::Texts => column::<ByteArrayType>(&mut group, sheet.column(at).map(a_text))?,
            }
        }
        group.close()?;
        writer.into_inner()
    }

    fn field(&(name, of): &(&'static str, Of)) -> Result<Arc<Type>> {
        let (physical, converted) = match of {
            Of::Counts => (Physical::INT64, ConvertedType::NONE),
            Of::Numbers => (Physical::DOUBLE, ConvertedType::NONE),
            Of::Texts => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
        };
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        builder.with_converted_type(converted).build().map(Arc::new)
    }

    fn column<T: DataType>(
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
        cells: impl Iterator<Item = Option<T::T>>,
    ) -> Result<()> {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        for cell in cells {
            levels.push(i16::from(cell.is_some()));
            values.extend(cell);
        }
        if let Some(mut writer) = group.next_column()? {
            writer.typed::<T>().write_batch(&values, Some(&levels), None)?;
            writer.close()?;
        }
        Ok(())
    }

    fn count(cell: &Cell) -> Option<i64> {
        if let Cell::Count(count) = cell { i64::try_from(*count).ok() } else { None }
    }

    fn a_number(cell: &Cell) -> Option<f64> {
        if let Cell::Number(x) = cell { Some(rounded(*x)).filter(|x| !x.is_nan()) } else { None }
    }

    fn a_text(cell: &Cell) -> Option<ByteArray> {
        if let Cell::Text(text) = cell { Some(ByteArray::from(&**text)) } else { None }
    }

    #[cfg(test)]
    mod tests {
        use parquet::file::reader::{FileReader as _, SerializedFileReader};
        use parquet::record::Field;

        use super::*;

        #[test]
        fn cells_come_back() -> std::result::Result<(), Box<dyn std::error::Error>> {
            let columns = [("step", Of::Counts), ("kind", Of::Texts), ("logp", Of::Numbers)];
            let mut sheet = Sheet::new("pairs", &columns);
            let rows = [
                [Cell::Count(4), Cell::text("y\u{202e}⁺"), Cell::Number(-1.0 / 3.0)],
                [Cell::Count(8), Cell::Empty, Cell::Number(f64::NAN)],
                [Cell::Empty, Cell::text(""), Cell::Number(f64::NEG_INFINITY)],
            ];
            rows.into_iter().for_each(|row| sheet.push(row));
            let reader = SerializedFileReader::new(bytes::Bytes::from(super::bytes(&sheet)?))?;
            let mut read = Vec::new();
            for row in reader.get_row_iter(None)? {
                read.push(row?.get_column_iter().map(|(_, field)| field.clone()).collect::<Vec<_>>());
            }
            let text = |text: &str| Field::Str(text.to_owned());
            assert_eq!(read[0], [Field::Long(4), text("y\u{202e}⁺"), Field::Double(-0.333_333_333)]);
            assert_eq!(read[1], [Field::Long(8), Field::Null, Field::Null]);
            assert_eq!(read[2], [Field::Null, text(""), Field::Double(f64::NEG_INFINITY)]);
            Ok(())
        }
    }
}
