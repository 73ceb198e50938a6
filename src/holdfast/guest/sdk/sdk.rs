//! What a program says about its result, apart from what it prints: comes back as `metadata`, up to 64 KB of JSON.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::{fs, io};

const FOLDER: &str = "/workspace/.holdfast";
const FILE: &str = "/workspace/.holdfast/metadata.json";

/// A value that can be written as JSON.
pub trait ToJson {
    fn write_json(&self, out: &mut String);
}

/// Set the metadata of this run; a later call replaces it.
pub fn set_metadata<T: ToJson + ?Sized>(data: &T) -> io::Result<()> {
    let mut text = String::new();
    data.write_json(&mut text);
    set_metadata_raw(&text)
}

/// Set the metadata of this run from JSON text.
pub fn set_metadata_raw(json: &str) -> io::Result<()> {
    fs::create_dir_all(FOLDER)?;
    fs::write(FILE, json)
}

/// The metadata set so far, as JSON text.
pub fn get_metadata() -> io::Result<Option<String>> {
    match fs::read_to_string(FILE) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The metadata set so far, as JSON text.
pub fn get_metadata_raw() -> io::Result<Option<String>> {
    get_metadata()
}

macro_rules! plain {
    ($($kind:ty)*) => {$(
        impl ToJson for $kind {
            fn write_json(&self, out: &mut String) {
                let _ = write!(out, "{}", self);
            }
        }
    )*};
}
plain!(bool i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

macro_rules! float {
    ($($kind:ty)*) => {$(
        impl ToJson for $kind {
            fn write_json(&self, out: &mut String) {
                if self.is_finite() {
                    let _ = write!(out, "{:?}", self);
                } else {
                    out.push_str("null");
                }
            }
        }
    )*};
}
float!(f32 f64);

impl ToJson for str {
    fn write_json(&self, out: &mut String) {
        out.push('"');
        for letter in self.chars() {
            match letter {
                '"' | '\\' => {
                    out.push('\\');
                    out.push(letter);
                }
                '\n' => out.push_str("\\n"),
                control if (control as u32) < 0x20 => {
                    let _ = write!(out, "\\u{:04x}", control as u32);
                }
                other => out.push(other),
            }
        }
        out.push('"');
    }
}

impl ToJson for String {
    fn write_json(&self, out: &mut String) {
        self.as_str().write_json(out);
    }
}

impl ToJson for () {
    fn write_json(&self, out: &mut String) {
        out.push_str("null");
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn write_json(&self, out: &mut String) {
        (**self).write_json(out);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn write_json(&self, out: &mut String) {
        match self {
            Some(value) => value.write_json(out),
            None => out.push_str("null"),
        }
    }
}

fn write_list<'a, T: ToJson + 'a>(items: impl Iterator<Item = &'a T>, out: &mut String) {
    out.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        item.write_json(out);
    }
    out.push(']');
}

impl<T: ToJson> ToJson for [T] {
    fn write_json(&self, out: &mut String) {
        write_list(self.iter(), out);
    }
}

impl<T: ToJson, const N: usize> ToJson for [T; N] {
    fn write_json(&self, out: &mut String) {
        write_list(self.iter(), out);
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write_json(&self, out: &mut String) {
        write_list(self.iter(), out);
    }
}

fn write_map<'a, K: AsRef<str> + 'a, V: ToJson + 'a>(pairs: impl Iterator<Item = (&'a K, &'a V)>, out: &mut String) {
    out.push('{');
    for (index, (name, value)) in pairs.enumerate() {
        if index > 0 {
            out.push(',');
        }
        name.as_ref().write_json(out);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

impl<K: AsRef<str>, V: ToJson> ToJson for HashMap<K, V> {
    fn write_json(&self, out: &mut String) {
        write_map(self.iter(), out);
    }
}

impl<K: AsRef<str>, V: ToJson> ToJson for BTreeMap<K, V> {
    fn write_json(&self, out: &mut String) {
        write_map(self.iter(), out);
    }
}
