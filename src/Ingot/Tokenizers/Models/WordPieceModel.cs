using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Models;

/// <summary>
/// WordPiece as in BERT (Devlin et al. 2018): from the left always the longest piece that is in the vocabulary; pieces inside a word have a
/// prefix. A word that cannot be written so, or is too long, is one unknown token.
/// </summary>
internal sealed class WordPieceModel : TokenModel
{
    private const int ShortWord = 256; // In bytes; for shorter ones there is room on the stack.

    private readonly string _unkToken;
    private readonly int _unkId;
    private readonly string _prefix;
    private readonly byte[] _prefixUtf8;
    private readonly int _longestWord;
    private readonly int _longestPiece;

    /// <param name="vocabulary">Pieces.</param>
    /// <param name="unkToken">Token of words that cannot be written.</param>
    /// <param name="prefix">Of pieces that do not begin a word.</param>
    /// <param name="longestWord">In characters; longer words are unknown.</param>
    public WordPieceModel(Vocabulary vocabulary, string unkToken = "[UNK]", string prefix = "##", int longestWord = 100)
    {
        (Vocabulary, _unkToken, _prefix, _longestWord) = (vocabulary, unkToken, prefix, longestWord);
        _unkId = vocabulary.Find(unkToken);
        _prefixUtf8 = Encoding.UTF8.GetBytes(prefix);
        _longestPiece = vocabulary.Tokens.Select(Encoding.UTF8.GetByteCount).DefaultIfEmpty().Max();
    }

    public override string Type => "WordPiece";

    public override Vocabulary Vocabulary { get; }

    public override string Summary =>
        $"WordPiece, {Vocabulary.Count:#,0} pieces, prefix {_prefix}, unknown {_unkToken}, words of up to {_longestWord} characters";

    public new static WordPieceModel Read(JsonPart json)
    {
        var unk = json.Optional("unk_token")?.AsText() ?? "[UNK]";
        var vocabulary = Vocabulary.Read(json.Required("vocab"));
        return vocabulary.Find(unk) < 0
            ? throw json.Error($"unk_token \"{unk}\" is not in the vocabulary")
            : new WordPieceModel(
                vocabulary,
                unk,
                json.Optional("continuing_subword_prefix")?.AsText() ?? "##",
                json.Optional("max_input_chars_per_word")?.AsCount() ?? 100);
    }

    public override void Tokenize(ReadOnlySpan<byte> word, List<WordToken> tokens)
    {
        var first = tokens.Count;
        var size = _prefixUtf8.Length + word.Length;
        var scratch = size <= ShortWord ? stackalloc byte[ShortWord] : new byte[size];
        _prefixUtf8.CopyTo(scratch);
        var isUnknown = CodePoints.CountUtf8(word) > _longestWord;
        for (var start = 0; start < word.Length && !isUnknown;)
        {
            var prefix = start == 0 ? 0 : _prefixUtf8.Length;
            var end = Math.Min(word.Length, start + _longestPiece);
            word[start..end].CopyTo(scratch[_prefixUtf8.Length..]);
            var id = -1;
            for (; end > start; end--)
            {
                var isCharacterEnd = end == word.Length || (word[end] & 0xC0) != 0x80;
                var piece = scratch.Slice(_prefixUtf8.Length - prefix, prefix + end - start);
                if (isCharacterEnd && Vocabulary.Find(piece) is >= 0 and var found)
                {
                    id = found;
                    break;
                }
            }

            if (id < 0)
            {
                isUnknown = true;
                break;
            }

            tokens.Add(new WordToken(id, start, end));
            start = end;
        }

        if (isUnknown)
        {
            tokens.RemoveRange(first, tokens.Count - first);
            tokens.Add(new WordToken(_unkId, 0, word.Length));
        }
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteString("unk_token", _unkToken);
        json.WriteString("continuing_subword_prefix", _prefix);
        json.WriteNumber("max_input_chars_per_word", _longestWord);
        Vocabulary.Write(json);
    }
}
