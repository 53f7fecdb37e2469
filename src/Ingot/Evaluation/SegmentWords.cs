using Ingot.Evaluation.Segmentation;

namespace Ingot.Evaluation;

/// <summary>Texts to words, and words to numbers that hold for one segment: the same word has the same number.</summary>
/// <param name="tokenizer">Sets the words apart.</param>
/// <param name="lowercase">Whether case counts for nothing.</param>
/// <param name="stem">Whether words of more than three letters count by their stems.</param>
internal sealed class SegmentWords(SegmentTokenizer tokenizer, bool lowercase, bool stem = false)
{
    private readonly TokenTable _table = new();
    private readonly CharBuffer _lower = new();
    private readonly CharBuffer _separated = new();
    private char[] _letters = new char[64];
    private int[] _ids = new int[64];
    private int _count;

    /// <summary>How many different words were read.</summary>
    public int Different => _table.Count;

    /// <summary>Forgets all words, for the next segment.</summary>
    public void Clear() => _table.Clear();

    /// <summary>The words of a text, which are numbered if they are new; valid until the next text is read.</summary>
    public ReadOnlySpan<int> Read(ReadOnlySpan<char> text) => Number(text, add: true);

    /// <summary>The words of a hypothesis, where −1 is one that no reference has.</summary>
    public ReadOnlySpan<int> Find(ReadOnlySpan<char> text) => Number(text, add: false);

    private ReadOnlySpan<int> Number(ReadOnlySpan<char> text, bool add)
    {
        if (lowercase)
        {
            _lower.Clear();
            PythonText.AppendLower(_lower, text);
            text = _lower.Span;
        }

        text = tokenizer.Separate(PythonText.TrimEnd(text), _separated);
        _count = 0;
        while (PythonText.NextWord(ref text, out var word))
        {
            if (_count == _ids.Length)
                Array.Resize(ref _ids, 2 * _count);
            if (stem && word.Length > 3)
                word = Stem(word);
            _ids[_count++] = add ? _table.Add(word) : _table.Find(word);
        }

        return _ids.AsSpan(0, _count);
    }

    private ReadOnlySpan<char> Stem(ReadOnlySpan<char> word)
    {
        if (_letters.Length < word.Length)
            _letters = new char[2 * word.Length];
        word.CopyTo(_letters);
        return _letters.AsSpan(0, PorterStemmer.Stem(_letters.AsSpan(0, word.Length)));
    }
}
