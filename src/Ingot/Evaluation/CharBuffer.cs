using System.Text;

namespace Ingot.Evaluation;

/// <summary>Characters that are put together anew for each segment, in memory that is kept.</summary>
internal sealed class CharBuffer
{
    private char[] _chars = new char[256];
    private int _count;

    /// <summary>What was added since the last <see cref="Clear"/>; valid until more is added.</summary>
    public ReadOnlySpan<char> Span => _chars.AsSpan(0, _count);

    /// <summary>How many characters there are.</summary>
    public int Count => _count;

    /// <summary>Forgets all.</summary>
    public void Clear() => _count = 0;

    /// <summary>Adds a character.</summary>
    public void Add(char c)
    {
        if (_count == _chars.Length)
            Array.Resize(ref _chars, 2 * _count);
        _chars[_count++] = c;
    }

    /// <summary>Adds a character, of two units if it is beyond the first 65,536.</summary>
    public void Add(Rune rune)
    {
        Span<char> units = stackalloc char[2];
        Add(units[..rune.EncodeToUtf16(units)]);
    }

    /// <summary>Adds characters.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        if (_chars.Length - _count < text.Length)
            Array.Resize(ref _chars, Math.Max(2 * _chars.Length, _count + text.Length));
        text.CopyTo(_chars.AsSpan(_count));
        _count += text.Length;
    }
}
