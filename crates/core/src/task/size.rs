//! How much CPU and memory a task may ask for. Never looks at what the machine has.

use crate::error::ApiError;

const MIB_PER_GB: f64 = 1024.0;
const UNITS_PER_VCPU: f64 = 1024.0;

/// CPU units from `512`, `0.5 vCPU` or `.5vcpu`.
///
/// # Errors
/// `ClientException` when the text is none of these, or no whole number of units.
pub fn cpu_units(text: &str) -> Result<u32, ApiError> {
    whole(text, "vcpu", UNITS_PER_VCPU).ok_or_else(|| client("Invalid 'cpu' setting for task."))
}

/// MiB from `1024`, `1 GB` or `0.5gb`.
///
/// # Errors
/// `ClientException` when the text is none of these, or no whole number of MiB.
pub fn memory_mib(text: &str) -> Result<u32, ApiError> {
    whole(text, "gb", MIB_PER_GB).ok_or_else(|| client("Invalid 'memory' setting for task."))
}

/// Both in their normal form, checked against the table of what Fargate runs. Empty texts mean "not given".
///
/// # Errors
/// AWS's `ClientException`s.
pub fn fargate_size(cpu: &str, memory: &str) -> Result<(u32, u32), ApiError> {
    if cpu.is_empty() {
        return Err(client(
            "Fargate requires that 'cpu' be defined at the task level.",
        ));
    }
    if memory.is_empty() {
        return Err(client(
            "Fargate requires that 'memory' be defined at the task level.",
        ));
    }
    let (cpu, memory) = (cpu_units(cpu)?, memory_mib(memory)?);
    if is_fargate_size(cpu, memory) {
        Ok((cpu, memory))
    } else {
        Err(client("No Fargate configuration exists for given values."))
    }
}

fn is_fargate_size(cpu: u32, memory: u32) -> bool {
    let (min, max, step) = match cpu {
        256 => return matches!(memory, 512 | 1024 | 2048),
        512 => (1024, 4096, 1024),
        1024 => (2048, 8192, 1024),
        2048 => (4096, 16_384, 1024),
        4096 => (8192, 30_720, 1024),
        8192 => (16_384, 61_440, 4096),
        16_384 => (32_768, 122_880, 8192),
        _ => return false,
    };
    (min..=max).contains(&memory) && memory.is_multiple_of(step)
}

/// A plain whole number, or a decimal number of `unit`s of `factor` each that comes out whole.
fn whole(text: &str, unit: &str, factor: f64) -> Option<u32> {
    let lower = text.trim().to_ascii_lowercase();
    let Some(number) = lower.strip_suffix(unit) else {
        return digits_only(&lower, "")
            .then(|| lower.parse().ok())
            .flatten();
    };
    let number = number.trim_end();
    if !digits_only(number, ".") {
        return None;
    }
    let amount = number.parse::<f64>().ok()? * factor;
    let is_whole = amount.fract() == 0.0 && amount <= f64::from(u32::MAX);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    is_whole.then_some(amount as u32)
}

fn digits_only(text: &str, also: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || also.contains(c))
}

fn client(message: &str) -> ApiError {
    ApiError::client("ClientException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_normalised() {
        let table = [
            ("256", "512", (256, 512)),
            ("0.25 vCPU", "0.5 GB", (256, 512)),
            (".25vcpu", "2gb", (256, 2048)),
            ("1 VCPU", "8 GB", (1024, 8192)),
            ("4096", "30720", (4096, 30_720)),
            ("8 vCPU", "16 GB", (8192, 16_384)),
            ("8192", "61440", (8192, 61_440)),
            ("16 vCPU", "120 GB", (16_384, 122_880)),
        ];
        for (cpu, memory, expected) in table {
            assert_eq!(fargate_size(cpu, memory), Ok(expected), "{cpu} {memory}");
        }
    }

    #[test]
    fn sizes_are_refused_in_aws_words() {
        const NONE: &str = "No Fargate configuration exists for given values.";
        const CPU: &str = "Invalid 'cpu' setting for task.";
        const MEMORY: &str = "Invalid 'memory' setting for task.";
        let table = [
            ("256", "4096", NONE),
            ("256", "513", NONE),
            ("512", "512", NONE),
            ("512", "5120", NONE),
            ("1024", "2049", NONE),
            ("8192", "17408", NONE),
            ("16384", "36864", NONE),
            ("0", "512", NONE),
            ("300", "512", NONE),
            (
                "",
                "512",
                "Fargate requires that 'cpu' be defined at the task level.",
            ),
            (
                "256",
                "",
                "Fargate requires that 'memory' be defined at the task level.",
            ),
            ("0.1 vCPU", "512", CPU),
            ("-256", "512", CPU),
            ("+256", "512", CPU),
            ("1e3", "512", CPU),
            ("vCPU", "512", CPU),
            ("1.2.3 vCPU", "512", CPU),
            ("99999999999", "512", CPU),
            ("256", "512 MB", MEMORY),
            ("256", "inf GB", MEMORY),
        ];
        for (cpu, memory, message) in table {
            let error = fargate_size(cpu, memory).unwrap_err();
            assert_eq!(
                (error.code.as_ref(), error.message.as_str()),
                ("ClientException", message),
                "{cpu} {memory}"
            );
        }
    }
}
