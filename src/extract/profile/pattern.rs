//! What patterns have in common.

/// The longest pattern, in octets: longer than any path template that documents write.
pub(super) const MAX_PATTERN: usize = 512;

/// Whether a text is of a shape in which `*` stands for any characters.
pub(in crate::extract) fn glob(shape: &[u8], text: &[u8]) -> bool {
    let (mut at, mut wanted) = (0usize, 0usize);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (shape.get(wanted), text.get(at)) {
            (Some(b'*'), _) => {
                wanted += 1;
                retry = Some((wanted, at));
            }
            (None, None) => return true,
            (Some(a), Some(b)) if a == b => {
                at += 1;
                wanted += 1;
            }
            _ => match retry {
                Some((after, from)) if from < text.len() => {
                    retry = Some((after, from + 1));
                    wanted = after;
                    at = from + 1;
                }
                _ => return false,
            },
        }
    }
}
