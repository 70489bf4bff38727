//! Tensors as pictures: a grid of images in one PNG.

use crate::tensor::Tensor;
use tfm_lang::types::DType;

/// The most images in one picture, and about the most pixels; of more, the first images are shown.
const MOST: (usize, usize) = (256, 1 << 24);

/// Grey between the images, a pixel wide.
const GAP: u8 = 128;

/// Images `[N, H, W]` or `[N, C, H, W]` as one PNG, in rows of about the square root of N. C is 1 (grey) or 3 (red,
/// green, blue).
///
/// Floats stand for black at 0 and white at 1; where some are negative, black is -1. What lies outside is cut off, and
/// what is not a number is black. u8 are the levels themselves.
pub fn png(images: &Tensor) -> Vec<u8> {
    let (n, channels, height, width) = match images.shape[..] {
        [n, h, w] => (n, 1, h, w),
        [n, c, h, w] => (n, c, h, w),
        _ => (0, 1, 1, 1),
    };
    let shown = n.min(MOST.0).min((MOST.1 / (height * width)).max(1));
    let columns = (shown as f64).sqrt().ceil().max(1.0) as usize;
    let rows = shown.div_ceil(columns).max(1);
    let (across, down) = (columns * (width + 1) + 1, rows * (height + 1) + 1);
    let levels = levels(images);
    let mut pixels = vec![GAP; across * down * channels];
    for image in 0..shown {
        let (left, top) = (image % columns * (width + 1) + 1, image / columns * (height + 1) + 1);
        for channel in 0..channels {
            for y in 0..height {
                for x in 0..width {
                    let from = ((image * channels + channel) * height + y) * width + x;
                    pixels[((top + y) * across + left + x) * channels + channel] = levels[from];
                }
            }
        }
    }
    encode(&pixels, across, down, channels)
}

/// Each element as a level from 0 to 255.
fn levels(images: &Tensor) -> Vec<u8> {
    if images.dtype == DType::U8 {
        return images.elements::<u8>().to_vec();
    }
    let values = images.to_f64();
    let black = if values.iter().any(|x| *x < 0.0) { -1.0 } else { 0.0 };
    // The cast cuts off what is outside and makes 0 of what is not a number.
    values.into_iter().map(|x| ((x - black) / (1.0 - black) * 255.0).round() as u8).collect()
}

pub(super) fn encode(pixels: &[u8], width: usize, height: usize, channels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(if channels == 3 { png::ColorType::Rgb } else { png::ColorType::Grayscale });
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.expect("a buffer of the right length is written to memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width, height, channels and pixels.
    fn read(bytes: &[u8]) -> (u32, u32, usize, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, info.color_type.samples(), pixels)
    }

    #[test]
    fn images_stand_in_a_grid() {
        let values: Vec<f32> = vec![0.0, 0.5, 1.0, 2.0, f32::NAN, 0.25];
        let (width, height, channels, pixels) = read(&png(&Tensor::of(&[3, 1, 2], &values)));
        assert_eq!((width, height, channels), (7, 5, 1));
        assert_eq!(pixels[7..14], [128, 0, 128, 128, 255, 255, 128]);
        assert_eq!(pixels[21..28], [128, 0, 64, 128, 128, 128, 128]);
    }

    #[test]
    fn negative_values_begin_at_minus_one() {
        let (.., pixels) = read(&png(&Tensor::of(&[1, 1, 1, 3], &[-1.0f32, 0.0, 1.0])));
        assert_eq!(pixels[6..9], [0, 128, 255]);
    }

    #[test]
    fn three_channels_are_colours_and_bytes_are_levels() {
        let (width, height, channels, pixels) = read(&png(&Tensor::of(&[1, 3, 1, 1], &[1u8, 2, 3])));
        assert_eq!((width, height, channels), (3, 3, 3));
        assert_eq!(pixels[12..15], [1, 2, 3]);
    }
}
