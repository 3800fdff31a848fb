//! What an allocation costs, without asking the allocator.

/// Bytes an allocation of `bytes` takes when rounded up to the size classes that jemalloc has:
/// 8, multiples of 16 up to 128, then four classes per doubling.
///
/// Memory figures are built from this, so that they depend on the data alone.
pub const fn alloc_size(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=8 => 8,
        9..=128 => bytes.next_multiple_of(16),
        _ => {
            let doubling = usize::BITS - 1 - (bytes - 1).leading_zeros();
            bytes.next_multiple_of(1 << (doubling - 2))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_up_to_the_classes_of_jemalloc() {
        let classes = [
            8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768,
            896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192,
        ];
        for bytes in 1..=8192 {
            let class = classes.iter().copied().find(|&class| bytes <= class);
            assert_eq!(Some(alloc_size(bytes)), class, "{bytes} bytes");
        }
        assert_eq!(alloc_size(0), 0);
    }
}
