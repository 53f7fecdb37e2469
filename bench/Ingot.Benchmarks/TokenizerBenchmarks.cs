using System.Text;
using BenchmarkDotNet.Attributes;
using Ingot.Tokenizers;

namespace Ingot.Benchmarks;

/// <summary>Byte-level BPE on 100,000 characters of made-up English, one thread.</summary>
public class TokenizerBenchmarks
{
    private readonly List<int> _ids = [];
    private string _text = "";
    private byte[] _utf8 = [];
    private int[] _encoded = [];
    private ByteLevelBpeTokenizer _tokenizer = null!;

    [GlobalSetup]
    public void Make()
    {
        _text = MadeUpText.Make(100_000);
        _utf8 = Encoding.UTF8.GetBytes(_text);
        _tokenizer = BpeTrainer.Train([_utf8], 1000);
        _encoded = _tokenizer.Encode(_text);
    }

    /// <summary>Into a list that is there already.</summary>
    [Benchmark]
    public int Encode()
    {
        _ids.Clear();
        _tokenizer.EncodeUtf8(_utf8, _ids);
        return _ids.Count;
    }

    [Benchmark]
    public string Decode() => _tokenizer.Decode(_encoded);

    /// <summary>A vocabulary of 1,000.</summary>
    [Benchmark]
    public int Train() => BpeTrainer.Train([_utf8], 1000).VocabularySize;
}
