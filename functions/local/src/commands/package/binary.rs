//! What a file says that it can run on.

/// A processor that a cloud has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    X86_64,
    Aarch64,
}

impl Architecture {
    /// That of a 64-bit, little-endian ELF executable; None for anything else, such as a program for macOS or Windows.
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        let (identity, rest) = file.split_first_chunk::<16>()?;
        let ([low, high, machine_low, machine_high], _) = rest.split_first_chunk::<4>()?;
        let executable = matches!(u16::from_le_bytes([*low, *high]), EXECUTABLE | POSITION_INDEPENDENT);
        if !identity.starts_with(ELF_64_LITTLE_ENDIAN) || !executable {
            return None;
        }
        match u16::from_le_bytes([*machine_low, *machine_high]) {
            62 => Some(Self::X86_64),
            183 => Some(Self::Aarch64),
            _ => None,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "arm64",
        }
    }
}

/// `EI_MAG`, `EI_CLASS` and `EI_DATA`: elf(5).
const ELF_64_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";

/// `ET_EXEC` and `ET_DYN`.
const EXECUTABLE: u16 = 2;
const POSITION_INDEPENDENT: u16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_executable_for_linux_has_an_architecture() {
        let elf = |class: u8, order: u8, kind: u16, machine: u16| {
            let mut file = vec![0x7f, b'E', b'L', b'F', class, order];
            file.resize(16, 0);
            file.extend(kind.to_le_bytes());
            file.extend(machine.to_le_bytes());
            file
        };
        assert_eq!(Architecture::of(&elf(2, 1, 3, 62)), Some(Architecture::X86_64));
        assert_eq!(Architecture::of(&elf(2, 1, 2, 183)), Some(Architecture::Aarch64));
        for other in [
            elf(1, 1, 3, 62),
            elf(2, 2, 3, 62),
            elf(2, 1, 1, 62),
            elf(2, 1, 3, 40),
            elf(2, 1, 3, 62)[..19].to_vec(),
            b"\xcf\xfa\xed\xfe".repeat(16),
            b"MZ".repeat(32),
            b"#!/bin/sh".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(Architecture::of(&other), None, "{other:?}");
        }
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Architecture::of(&this).is_some(), cfg!(target_os = "linux"));
    }
}
