using System.Runtime.InteropServices;
using System.Text;

namespace Ingot.Bindings;

/// <summary>Zero-terminated UTF-8.</summary>
internal static unsafe class NativeText
{
    /// <summary>Copies a text out of native memory; null becomes the empty string.</summary>
    public static string ToString(byte* text) => Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));

    /// <summary>A text as a native function takes it.</summary>
    /// <exception cref="ArgumentException">The text has a zero character, at which it would end for the native library.</exception>
    public static byte[] ToBytes(string text) =>
        text.Contains('\0')
        ? throw new ArgumentException($"a text for the native library has a zero character: {text.Replace("\0", "\\0")}", nameof(text))
        : Encoding.UTF8.GetBytes(text + '\0');
}
