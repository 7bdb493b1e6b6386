// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes constants of the tables in `facts/`.

use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, path::Path};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The columns of each line.
fn table(name: &str) -> Result<Vec<Vec<String>>> {
    let path = format!("facts/{name}.tsv");
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .map(|line| line.split('\t').map(String::from).collect())
        .collect())
}

fn column(line: &[String], n: usize) -> Result<&str> {
    let column = line.get(n).ok_or("a column is missing")?;
    Ok(if column == "-" { "" } else { column })
}

fn number(line: &[String], n: usize) -> Result<u64> {
    let text = column(line, n)?;
    Ok(match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16)?,
        None => text.parse()?,
    })
}

fn field(name: &str, (msb, lsb): (u64, u64), order: &str, words: &str) -> String {
    let width = msb - lsb + 1;
    format!("Field {{ name: {name:?}, lsb: {lsb}, width: {width}, words: {words:?}, {order} }},")
}

fn arm64(out: &mut String) -> Result<()> {
    let (mut cores, mut open) = (String::new(), "");
    writeln!(out, "static ARM64: &[Register] = &[")?;
    for line in table("arm64")? {
        let name = column(&line, 1)?;
        match column(&line, 0)? {
            "register" => {
                let [op0, op1, crn, crm, op2] = [2, 3, 4, 5, 6].map(|n| number(&line, n));
                let id = op0? << 14 | op1? << 11 | crn? << 7 | crm? << 3 | op2?;
                writeln!(
                    out,
                    "{open}Register {{ name: {name:?}, id: {id:#x}, fields: &["
                )?;
                open = "] },\n";
            }
            "field" => {
                let order = match (column(&line, 4)?, column(&line, 5)?) {
                    ("higher-safe", _) => "Order::HigherSafe".into(),
                    ("exact", other) => format!("Order::Exact({})", other.parse::<u64>()?),
                    _ => "Order::LowerSafe".to_string(),
                };
                let values = column(&line, 8)?.split_whitespace();
                let values = values.filter_map(|value| value.split_once('='));
                let values: Vec<_> = values
                    .map(|(name, number)| format!("({name:?}, {number})"))
                    .collect();
                let order = format!(
                    "order: {order}, signed: {}, hwcap: {}, values: &[{}]",
                    column(&line, 6)? == "signed",
                    column(&line, 7)? == "hwcap",
                    values.join(", ")
                );
                let bits = (number(&line, 2)?, number(&line, 3)?);
                writeln!(out, "{}", field(name, bits, &order, ""))?;
            }
            _ => {
                let (implementer, part) = (number(&line, 2)?, number(&line, 3)?);
                let words = column(&line, 4)?.split_whitespace();
                let words = words.filter_map(|word| word.split_once('='));
                let words: Vec<_> = words
                    .map(|(name, hex)| format!("({name:?}, 0x{hex})"))
                    .collect();
                writeln!(
                    cores,
                    "Core {{ name: {name:?}, implementer: {implementer}, part: {part}, words: &[{}] }},",
                    words.join(", ")
                )?;
            }
        }
    }
    writeln!(out, "{open}];\nstatic CORES: &[Core] = &[{cores}];")?;

    writeln!(out, "static ARM64_NEEDS: &[Arm64Need] = &[")?;
    for line in table("arm64-needs")? {
        writeln!(
            out,
            "(({:?}, {:?}, {}), ({:?}, {:?}, {}), {:?}),",
            column(&line, 0)?,
            column(&line, 1)?,
            number(&line, 2)?,
            column(&line, 3)?,
            column(&line, 4)?,
            number(&line, 5)?,
            column(&line, 6)?
        )?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn x86(out: &mut String) -> Result<()> {
    let mut leaves = BTreeMap::<_, Vec<_>>::new();
    for line in table("x86")? {
        let key = (number(&line, 0)?, number(&line, 1)?, number(&line, 2)?);
        leaves
            .entry((
                key,
                column(&line, 3)?.to_string(),
                column(&line, 4)? == "kvm",
            ))
            .or_default()
            .push(line);
    }
    writeln!(out, "static X86: &[Leaf] = &[")?;
    for (((function, low, high), register, judged), lines) in leaves {
        let mut fields = BTreeMap::new();
        for line in &lines {
            if column(line, 5)?.is_empty() {
                continue;
            }
            let (msb, lsb) = (number(line, 5)?, number(line, 6)?);
            let order = if msb == lsb {
                "Order::LowerSafe"
            } else {
                "Order::Number"
            };
            let rest = format!("order: {order}, signed: false, hwcap: false, values: &[]");
            let text = field(column(line, 7)?, (msb, lsb), &rest, column(line, 8)?);
            fields.insert(lsb, (msb, text));
        }
        // All bits belong to a field; those without a name to one of their own.
        let mut bit = 0;
        let mut text = String::new();
        while bit < 32 {
            let (msb, named) = fields.remove(&bit).unwrap_or_else(|| {
                let rest = "order: Order::LowerSafe, signed: false, hwcap: false, values: &[]";
                (bit, field("", (bit, bit), rest, ""))
            });
            text += &named;
            bit = msb + 1;
        }
        let mut letters = register.chars();
        let register: String = letters
            .next()
            .map(|c| c.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect();
        writeln!(
            out,
            "Leaf {{ function: {function:#x}, low: {low}, high: {high}, reg: Reg::{register}, judged: {judged}, fields: &[{text}] }},"
        )?;
    }
    writeln!(out, "];\nstatic X86_NEEDS: &[X86Need] = &[")?;
    for line in table("x86-needs")? {
        let mut text = [String::new(), String::new()];
        for (n, text) in text.iter_mut().enumerate() {
            let register = column(&line, 4 * n + 2)?.replacen('e', "E", 1);
            *text = format!(
                "({}, {}, Reg::{register}, {})",
                number(&line, 4 * n)?,
                number(&line, 4 * n + 1)?,
                number(&line, 4 * n + 3)?
            );
        }
        writeln!(out, "({}, {}),", text[0], text[1])?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn main() -> Result<()> {
    let mut out = String::new();
    arm64(&mut out)?;
    x86(&mut out)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("facts.rs"), out)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
