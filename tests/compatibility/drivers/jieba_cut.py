"""jieba: its own switch to cut texts in processes."""

import logging

import jieba

jieba.setLogLevel(logging.ERROR)

if __name__ == "__main__":
    text = "今天天气很好 我们去公园散步。\n他在图书馆里读一本关于历史的书。\n" * 3_000
    jieba.enable_parallel(2)
    words = list(jieba.cut(text))
    jieba.disable_parallel()
    print(len(words), words[:14], words == list(jieba.cut(text)))
